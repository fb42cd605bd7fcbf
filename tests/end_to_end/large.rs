//! Large uploads, and small ones that try to exhaust memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventpulse_core::upload::UploadState;

use crate::TestResult;
use crate::world::{World, document};

/// The upper limit of a function's resident memory for any input, in MiB.
const LIMIT_MIB: u64 = 256;

/// A watch on the peak resident memory of the functions, in MiB.
struct Watch {
    stop: Arc<AtomicBool>,
    peak: tokio::task::JoinHandle<u64>,
}

impl Watch {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let peak = tokio::spawn(async move {
            let mut peak = 0;
            while !until.load(Ordering::Relaxed) {
                peak = peak.max(peak_of_functions());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            peak.max(peak_of_functions())
        });
        Self { stop, peak }
    }

    async fn peak_mib(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.peak.await.expect("the watch")
    }
}

/// Returns the largest `VmHWM` (peak resident set, proc(5)) of the running bootstraps, in MiB.
fn peak_of_functions() -> u64 {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    let peaks = processes.filter_map(|process| {
        let process = process.ok()?.path();
        let command = std::fs::read(process.join("cmdline")).ok()?;
        let program = command.split(|byte| *byte == 0).next()?;
        if !program.ends_with(b"/bootstrap") {
            return None;
        }
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()
    });
    peaks.max().unwrap_or(0) / 1024
}

pub async fn gibibyte_upload_uses_flat_memory(world: Arc<World>) -> TestResult {
    // A hundred devices alternate, with one reading per second each and 80 bytes per line.
    let mut body = Vec::with_capacity((1 << 30) + 100);
    let (mut second, mut records) = (0u64, 0u64);
    while body.len() < 1 << 30 {
        let (day, hour, minute) = (1 + second / 86_400 % 28, second / 3600 % 24, second / 60 % 60);
        let month = 1 + second / 86_400 / 28;
        for device in 0..100 {
            let line = format!(
                "{{\"device_id\":\"device-{device:02}\",\"timestamp\":\"2025-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z\",\"value\":{}}}\n",
                second % 60,
                (second * 7 + device) % 1000,
            );
            body.extend_from_slice(line.as_bytes());
            records += 1;
        }
        second += 1;
    }
    let user = world.user();
    let watch = Watch::start();
    let upload = world.upload(&user, &document("gibibyte.ndjson", body)).await?;
    let peak = watch.peak_mib().await;
    assert_eq!((upload.state(), upload.accepted()), (UploadState::Accepted, records));
    assert!((1..LIMIT_MIB).contains(&peak), "{peak} MiB resident");
    for device in ["device-00", "device-99"] {
        let statistics = world.statistics(&user.owner, device).await?.ok_or("nothing counts")?;
        let offset = if device == "device-00" { 0 } else { 99 };
        let values = (0..second).map(|at| (at * 7 + offset) % 1000);
        assert_eq!(statistics.count, second);
        #[allow(clippy::cast_precision_loss)]
        let mean = values.sum::<u64>() as f64 / second as f64;
        assert_eq!(statistics.mean, mean, "{device}"); // the sum is below 2^53, so the quotient is rounded once
    }
    println!("{records} records, {peak} MiB resident");
    Ok(())
}

pub async fn hostile_records_use_flat_memory(world: Arc<World>) -> TestResult {
    let size = (16 << 20) - 64;
    let members: String = (0..1_100_000).map(|number| format!("\"{number:07}\":0,")).collect();
    let readings = r#"{"timestamp":"x","value":"y"},"#.repeat(size / 30);
    let rows: Vec<(&str, String)> = vec![
        ("numbers", format!("[{}0]", "0,".repeat(size / 2))),
        ("arrays", format!("{{\"device_id\":[{}[]]}}", "[],".repeat(size / 3 - 10))),
        ("members", format!("{{{}\"z\":0}}", &members[..members.len().min(size / 11 * 11)])),
        ("wrong readings", format!("{{\"schema\":\"batch/1.0\",\"device_id\":\"1\",\"readings\":[{}1]}}", readings)),
        ("a long string", format!("{{\"device_id\":\"{}\"}}", "\\u00e9".repeat(size / 6 - 10))),
    ];
    let user = world.user();
    for (name, text) in rows {
        // Each element of a top-level array is a record, so nest an array in a member to form one record.
        let watch = Watch::start();
        let line = if text.starts_with('[') { format!("{{\"device_id\":{text}}}") } else { text };
        assert!(line.len() <= 16 << 20, "{name}: {} bytes", line.len());
        let upload = world.upload(&user, &document("hostile.ndjson", line)).await?;
        let peak = watch.peak_mib().await;
        assert_eq!(upload.state(), UploadState::Quarantined, "{name}");
        assert!((1..LIMIT_MIB).contains(&peak), "{name}: {peak} MiB resident");
        println!("{name}: {peak} MiB resident");
    }
    Ok(())
}

pub async fn compressed_hostile_lines_are_drained_while_reading(world: Arc<World>) -> TestResult {
    // One good record, then eight lines of 16 MiB that are not JSON: a few kilobytes of zstd.
    let good = format!("{}\n", crate::world::reading("drained", 0, 1.0));
    let line = [vec![1; (16 << 20) - 1], vec![b'\n']].concat();
    let frame = zstd::encode_all(line.as_slice(), 1)?;
    let bytes = [zstd::encode_all(good.as_bytes(), 1)?, frame.repeat(8)].concat();
    let user = world.user();
    let watch = Watch::start();
    let upload = world.upload(&user, &document("drained.ndjson.zst", bytes)).await?;
    let peak = watch.peak_mib().await;
    assert_eq!((upload.state(), upload.accepted(), upload.rejected()), (UploadState::PartiallyAccepted, 1, 8));
    assert!((1..LIMIT_MIB).contains(&peak), "{peak} MiB resident");
    // Many small rejected records: each takes more space in quarantine than in the upload.
    let bytes =
        [zstd::encode_all(good.as_bytes(), 1)?, zstd::encode_all("7\n".repeat(200_000).as_bytes(), 1)?].concat();
    let watch = Watch::start();
    let upload = world.upload(&world.user(), &document("drained.ndjson.zst", bytes)).await?;
    let peak = watch.peak_mib().await;
    assert_eq!((upload.accepted(), upload.rejected()), (1, 200_000));
    assert!((1..LIMIT_MIB).contains(&peak), "{peak} MiB resident");
    let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
    let held = world.object(&quarantined.bucket, &quarantined.key.clone().unwrap_or_default(), None).await?;
    let lines = held.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 200_000, "every rejected record is kept");
    Ok(())
}

pub async fn large_rejected_object_is_moved_in_parts(world: Arc<World>) -> TestResult {
    let size = (600 << 20) + 1;
    let upload = world.upload(&world.user(), &document("large.json", vec![b'7'; size])).await?;
    assert_eq!(upload.state(), UploadState::Quarantined);
    let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
    let held = world.object(&quarantined.bucket, &quarantined.key.clone().unwrap_or_default(), None).await?;
    assert_eq!(held.map(|held| held.len()), Some(size));
    let object = upload.object().ok_or("no object")?;
    assert_eq!(world.object(&object.bucket, &object.key, Some(&object.version_id)).await?, None);
    Ok(())
}
