use super::*;
use aws_sdk_dynamodb::types::AttributeValue;

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

#[test]
fn an_issued_upload_expires_with_its_url() {
    let id = UploadId::new(at("2025-02-28T12:00:00Z"), [0; 10]);
    let n = |digits: &str| AttributeValue::N(digits.to_owned());
    let of_index = || {
        item([
            ("pk", s(upload_pk(&id))),
            ("listed", s("x")),
            ("state", s("issued")),
            ("file_name", s("a b+c é")),
            ("accepted", n("3")),
            ("rejected", n("0")),
            ("created_at", s("2025-02-28T12:00:00Z")),
            ("changed_at", s("2025-02-28T12:00:00.5Z")),
            ("url_expires_at", s("2025-02-28T13:00:00.000000Z")),
        ])
    };
    for (now, state) in [("2025-02-28T12:59:59Z", UploadState::Issued), ("2025-02-28T13:00:00Z", UploadState::Expired)]
    {
        let read: OwnerIndexItem = from_item(of_index()).unwrap();
        let summary = read.summary(id_of(&of_index()).unwrap(), at(now));
        assert_eq!((summary.state, summary.accepted, &summary.upload_id), (state, 3, &id), "{now}");
    }
}

#[test]
fn a_quarantined_upload_is_retrying_until_its_retry_expires() {
    let of_index = || {
        item([
            ("state", s("quarantined")),
            ("file_name", s("x")),
            ("rejected", AttributeValue::N("2".to_owned())),
            ("codes", AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()])),
            ("quarantined_at", s("2025-02-28T12:00:00Z")),
            ("retry_expires_at", s("2025-02-28T13:00:00Z")),
        ])
    };
    let id = UploadId::new(at("2025-02-28T12:00:00Z"), [0; 10]);
    for (now, status) in
        [("2025-02-28T12:59:59Z", QuarantineStatus::Retrying), ("2025-02-28T13:00:00Z", QuarantineStatus::Open)]
    {
        let read: OpenIndexItem = from_item(of_index()).unwrap();
        let summary = read.summary(id.clone(), at(now));
        assert_eq!((summary.status, summary.codes.len(), summary.schemas.len()), (status, 2, 0), "{now}");
    }
}
