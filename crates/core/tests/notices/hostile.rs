//! Properties of notices about hostile names, messages and counts.

use eventpulse_core::intake::digest::Sha256Source;
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::problem::Problem;
use eventpulse_core::notification::rendering::NoticeContents;
use eventpulse_core::upload::Decision;
use proptest::prelude::*;

use crate::check::check;
use crate::examples::{digest, of_one_record};
use crate::support::notices::{self, failing, notice, other, problem_of, profile, repeat, repeat_with, resolution};
use crate::support::{changed, failed, upload};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Hostile names and messages do no harm, and the file name stays on its line.
    #[test]
    fn names_cannot_harm(file_name in ".{0,300}|[ \\n\\t\"]{0,40}|(Why\\n|Report: s3://x |\u{202e}|é){0,60}|(a|/|@|www\\.|WWW|\\.|:|//| |`){0,90}", pointer in "(/.{0,40}){0,8}|(/(a|@|www\\.|://| ){0,9}){0,12}", member in ".{0,64}", message in ".{0,600}|(a|/|@|www\\.|WWW|\\.|:|//| |`){0,200}|( |\\n|Why){0,200}", accepted in 0u64..3, whole: bool, regressed: bool) {
        let failure = Failure { targets: vec![member], pointer: Failure::new(FailureCode::Type, &pointer, "").pointer, ..Failure::at(FailureCode::AdditionalProperties, message, 3, 14) };
        let inspection = if whole { failed(failure) } else { of_one_record(accepted, failure) };
        let upload = upload(&file_name, &inspection);
        let (known, kind) = (profile(3, &[]), if regressed { NoticeKind::Regressed } else { NoticeKind::New });
        let named = problem_of(&upload);
        let others = [other(1, "batch/1.0", &[(FailureCode::Type, &pointer), (FailureCode::Required, &pointer)])];
        check(&failing(kind, &upload, &named, Some(&known), &others).unwrap());
        // Without the cleaning of the file name at issue and arrival.
        let raw = changed(&upload, |draft| draft.origin.file_name = file_name);
        let notice = failing(kind, &raw, &named, Some(&known), &[]).unwrap();
        check(&notice);
        prop_assert_eq!(notice.text.lines().filter(|line| line.starts_with("  File:")).count(), 1);
        check(&notices::of(&NoticeContents::Resolved(&[resolution(1, named.clone(), 2), resolution(2, others[0].problem.clone(), 3)])).unwrap());
        check(&notices::of(&NoticeContents::Quiet(&[notices::quiet(named.clone(), 2, 2)])).unwrap());
        let repeats = [repeat_with(1, named, 2, (1, 0)), repeat_with(2, others[0].problem.clone(), 0, (0, 1))];
        check(&digest(&repeats));
    }

    /// Unusual counts of a stored rejection do no harm.
    #[test]
    fn counts_do_not_matter(accepted in 0u64..4, rejected in 0u64..4, uploads in 0u64..4) {
        let upload = upload("a.json", &failed(Failure::new(FailureCode::EmptyUpload, "", "none")));
        let rejection = Rejection { rejected, ..Rejection::of_upload(Failure::new(FailureCode::EmptyUpload, "", "none"), "reading/1.0") };
        let empty = Rejection { upload_failure: None, groups: Vec::new(), ..rejection.clone() };
        for rejection in [rejection, empty] {
            let decision = if accepted == 0 {
                Decision::Rejected { rejection, rules: None }
            } else {
                Decision::Accepted { sha256: String::new(), sha256_source: Sha256Source::Computed, accepted, chunks: 1, shared_chunks: Vec::new(), series: Box::default(), rejection: Some(rejection), rules: None }
            };
            let upload = changed(&upload, |draft| draft.decision = decision);
            check(&notice(&upload).unwrap());
            let named = Problem { uploads, uploads_since_opened: uploads, records: rejected, ..problem_of(&upload) };
            check(&failing(NoticeKind::Regressed, &upload, &named, None, &[]).unwrap());
            check(&notices::of(&NoticeContents::Resolved(&[resolution(1, named.clone(), uploads)])).unwrap());
            check(&notices::of(&NoticeContents::Quiet(&[notices::quiet(named.clone(), uploads, rejected)])).unwrap());
            check(&digest(&[repeat(1, named, uploads)]));
        }
    }
}
