//! The protection of data: retention, deletion protection and backups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::expanded::{list, properties, resource, resources, template};

/// The tables with data.
const TABLES: [&str; 4] = ["ChunksTable", "KeysTable", "NoticesTable", "UploadsTable"];

#[test]
fn what_has_data_is_kept_recoverable_and_protected() {
    let names: BTreeSet<_> = resources("AWS::DynamoDB::Table").into_keys().collect();
    let expected: BTreeSet<_> = TABLES.into_iter().chain(["UsageTable"]).collect();
    assert_eq!(names, expected, "add a new table to TABLES if it has data, else here");
    for name in TABLES {
        let table = properties(name);
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{name}");
        assert_eq!(table["DeletionProtectionEnabled"], json!({ "Fn::If": ["IsProtected", true, false] }), "{name}");
    }
    let protection = &properties("UserPool")["DeletionProtection"];
    assert_eq!(*protection, json!({ "Fn::If": ["IsProtected", "ACTIVE", "INACTIVE"] }));
    for name in ["ProcessBucket", "QuarantineBucket"] {
        assert_eq!(properties(name)["VersioningConfiguration"]["Status"], "Enabled", "{name}");
    }
    for name in TABLES.into_iter().chain(["ProcessBucket", "QuarantineBucket", "UserPool", "BackupVault"]) {
        assert_eq!(resource(name)["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(resource(name)["UpdateReplacePolicy"], "Retain", "{name}");
    }
    assert_eq!(template()["Parameters"]["DeletionProtection"]["Default"], "on");
}

#[test]
fn a_backup_has_every_bucket_and_every_table_with_data() {
    let selection = &properties("BackupSelection")["BackupSelection"];
    let of_resource = |arn: &Value| arn["Fn::GetAtt"][0].as_str().unwrap_or_default().to_owned();
    let selected: BTreeSet<_> = list(&selection["Resources"]).into_iter().map(of_resource).collect();
    let expected: BTreeSet<_> = resources("AWS::S3::Bucket").into_keys().chain(TABLES).map(str::to_owned).collect();
    assert_eq!(selected, expected);
    // The emulator has no AWS Backup. A vault that is kept when backups are switched off could not be created again.
    assert_eq!(resource("BackupVault")["Condition"], "IsAws");
    for name in ["BackupPlan", "BackupSelection", "BackupRole"] {
        assert_eq!(resource(name)["Condition"], "HasBackups", "{name}");
    }
    let rule = &properties("BackupPlan")["BackupPlan"]["BackupPlanRule"][0];
    assert_eq!(rule["TargetBackupVault"], json!({ "Ref": "BackupVault" }));
    assert_eq!(rule["Lifecycle"]["DeleteAfterDays"], json!({ "Ref": "BackupRetentionDays" }));
    assert_eq!(template()["Parameters"]["BackupRetentionDays"]["Default"], 0, "backups cost money");
}
