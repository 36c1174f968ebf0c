//! The service's rules: what it was seen to refuse, and what we send.

use accounting::apel::{CLOUD_HEADER, Kind, LONGEST_BYTES, MOST_RECORDS, Message, Outgoing, check};
use accounting::records::{AcceleratorRecord, CloudRecord, Known, Month, Records};
use federation::usage::Quality;
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-07-15T12:00:00Z".parse().unwrap()
}

/// Judges: nothing wrong, counted wrongly, or refused.
fn judge(kind: Kind, text: &str) -> &'static str {
    let findings = check::message(kind, text, now());
    match findings.iter().map(|finding| finding.refused).max() {
        None => "good",
        Some(false) => "harmful",
        Some(true) => "refused",
    }
}

const LEAST: &str = "RecordCreateTime: 1780000000\nVMUUID: a\nSiteName: S\nFQAN: /vo.x\n";

#[test]
fn cloud_messages_are_judged_as_the_loader_does() {
    let long = |length| format!("ImageId: {}", "x".repeat(length));
    let (fits, too_long) = (long(255), long(256));
    let cases = [
        ("", "good"),
        ("CpuCount: 3.5", "good"),
        ("WallDuration: 3600", "good"),
        ("WallDuration: 3600.5", "refused"),
        ("Memory: 10.5", "refused"),
        ("WallDuration: 1_000", "good"),
        ("WallDuration: 1__000", "refused"),
        ("WallDuration: +5", "good"),
        ("WallDuration: 0x10", "refused"),
        ("WallDuration: -5", "harmful"),
        ("WallDuration: 9223372036854775807", "good"),
        ("WallDuration: 9223372036854775808", "refused"),
        ("PublicIPCount: 2147483648", "refused"),
        ("CpuCount: -1", "refused"),
        ("CpuCount: nan", "refused"),
        ("CpuCount: 10000000", "refused"),
        ("Disk: None", "good"),
        ("Disk:", "good"),
        ("EndTime: 0", "good"),
        ("EndTime: 2026-07-01T00:00:00Z", "good"),
        ("EndTime: soon", "refused"),
        ("EndTime: 99999999999999", "refused"),
        ("ImageId: a:b:c", "good"),
        ("ImageId : a", "good"),
        (&fits, "good"),
        (&too_long, "refused"),
        ("imageid: a", "refused"),
        ("Nonsense: a", "refused"),
        ("MeasurementTime: whatever", "good"),
        ("no colon here", "refused"),
        ("\nImageId: a", "refused"),
        ("ImageId: a%%b", "refused"),
        ("ImageId: application/pkcs7-mime", "refused"),
        ("ImageId: a application/x-pkcs7-mime:b", "refused"),
        ("ImageId: application/x-pkcs7-signature", "good"),
        ("VMUUID: b", "harmful"),
        ("VMUUID: null", "refused"),
        ("SiteName: NONE", "refused"),
        ("Status: Completed", "harmful"),
        ("Status: completed\nEndTime: 1780000000", "good"),
        ("MachineName: \u{e9}", "refused"),
        ("%%\n%%\n", "good"),
        ("%%\nVMUUID: b\nSiteName: S\nStartTime: 1780000000", "good"),
        ("%%\nVMUUID: b\nSiteName: S", "harmful"),
        (
            "%%\nVMUUID: a\nSiteName: S\nStartTime: 1780000000",
            "harmful",
        ),
        ("%%\nVMUUID: a\nSiteName: S\nStartTime: 1790000000", "good"),
        ("%%\nVMUUID: b", "refused"),
    ];
    for (more, wanted) in cases {
        let text = format!("{CLOUD_HEADER}\n{LEAST}{more}\n");
        assert_eq!(judge(Kind::Cloud, &text), wanted, "{more}");
    }
}

#[test]
fn the_header_is_exact() {
    let cases = [
        ("APEL-cloud-message: v0.4", "good"),
        ("  \n APEL-cloud-message: v0.4 ", "good"),
        ("APEL-cloud-message: v0.40", "refused"),
        ("APEL-cloud-message:v0.4", "refused"),
        ("APEL-cloud-message: 0.4", "refused"),
        ("APEL-individual-job-message: v0.3", "refused"),
        ("", "refused"),
    ];
    for (header, wanted) in cases {
        assert_eq!(
            judge(Kind::Cloud, &format!("{header}\n{LEAST}")),
            wanted,
            "{header}"
        );
    }
    assert_eq!(judge(Kind::Cloud, CLOUD_HEADER), "refused");
    let record = |at: usize| {
        format!(
            "{}%%\n",
            LEAST.replace("VMUUID: a", &format!("VMUUID: {at:06}"))
        )
    };
    let text = |count| {
        let records: String = (0..count).map(record).collect();
        format!("{CLOUD_HEADER}\n{records}")
    };
    assert_eq!(judge(Kind::Cloud, &text(MOST_RECORDS)), "good");
    assert_eq!(judge(Kind::Cloud, &text(MOST_RECORDS + 1)), "harmful");
    assert_eq!(
        judge(Kind::Cloud, &text(LONGEST_BYTES / record(0).len() + 1)),
        "refused"
    );
}

#[test]
fn accelerator_messages_are_judged_as_the_loader_does() {
    let cases = [
        ("{}", "good"),
        (r#"{"Count":0.5}"#, "good"),
        (r#"{"Count":"1"}"#, "refused"),
        (r#"{"AvailableDuration":2.0}"#, "good"),
        (r#"{"AvailableDuration":2.5}"#, "refused"),
        (
            r#"{"AvailableDuration":2147483647,"ActiveDuration":null}"#,
            "good",
        ),
        (r#"{"AvailableDuration":2147483648}"#, "refused"),
        (
            r#"{"AvailableDuration":-1,"ActiveDuration":null}"#,
            "harmful",
        ),
        (r#"{"ActiveDuration":101}"#, "harmful"),
        (r#"{"AssociatedRecordType":"vm"}"#, "refused"),
        (r#"{"AssociatedRecordType":"job"}"#, "good"),
        (r#"{"Type":"gpu"}"#, "refused"),
        (r#"{"Type":"FPGA"}"#, "good"),
        (r#"{"Model":null}"#, "refused"),
        (r#"{"Model":"application/pkcs7-mime"}"#, "refused"),
        (r#"{"FQAN":"None"}"#, "refused"),
        (r#"{"FQAN":""}"#, "refused"),
        (r#"{"FQAN":null}"#, "refused"),
        (r#"{"GlobalUserName":null}"#, "good"),
        (r#"{"MeasurementMonth":13}"#, "refused"),
        (r#"{"MeasurementYear":2026}"#, "good"),
        (r#"{"MeasurementYear":2027}"#, "refused"),
        (r#"{"MeasurementYear":1999}"#, "refused"),
        (r#"{"Nonsense":1}"#, "refused"),
        (r#"{"CloudType":"x"}"#, "refused"),
        (
            r#"{"Benchmark":12.5,"BenchmarkType":"x","Cores":6912}"#,
            "good",
        ),
    ];
    for (change, wanted) in cases {
        let text = accelerator(change, None);
        assert_eq!(judge(Kind::Accelerator, &text), wanted, "{change}");
    }
}

#[test]
fn only_some_fields_of_an_accelerator_may_be_missing() {
    for required in [
        "FQAN",
        "SiteName",
        "Count",
        "AvailableDuration",
        "Type",
        "AssociatedRecord",
    ] {
        let text = accelerator("{}", Some(required));
        assert_eq!(
            judge(Kind::Accelerator, &text),
            "refused",
            "without {required}"
        );
    }
    for optional in ["Model", "ActiveDuration"] {
        assert_eq!(
            judge(Kind::Accelerator, &accelerator("{}", Some(optional))),
            "good"
        );
    }
}

#[test]
fn the_envelope_is_exact() {
    let good = accelerator("{}", None);
    for (from, to) in [
        (
            "APEL-accelerator-message",
            "APEL-accelerator-summary-message",
        ),
        ("\"0.1\"", "\"v0.1\""),
        ("UsageRecords", "usagerecords"),
        ("{\"Type\"", "{\"Extra\":1,\"Type\""),
        ("{\"Type\"", "[{\"Type\""),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        assert_eq!(judge(Kind::Accelerator, &text), "refused", "{to}");
    }
    let none = r#"{"Type":"APEL-accelerator-message","Version":"0.1","UsageRecords":[]}"#;
    assert_eq!(judge(Kind::Accelerator, none), "refused");
    let twice = good.replace('[', "[X,").replace(']', "\n]");
    let record = &good[good.find('[').unwrap() + 1..good.rfind(']').unwrap()];
    let text = twice.replace('X', record);
    assert_eq!(judge(Kind::Accelerator, &text), "harmful");
}

fn accelerator(change: &str, without: Option<&str>) -> String {
    let mut record = serde_json::json!({
        "MeasurementMonth": 3, "MeasurementYear": 2026, "AssociatedRecordType": "cloud",
        "AssociatedRecord": "a", "FQAN": "/vo.x", "SiteName": "S", "Count": 1,
        "ActiveDuration": 1, "AvailableDuration": 100, "Type": "GPU", "Model": "NVIDIA A"
    });
    let change: serde_json::Map<_, _> = serde_json::from_str(change).unwrap();
    let record = record.as_object_mut().unwrap();
    record.extend(change);
    if let Some(key) = without {
        record.remove(key);
    }
    serde_json::json!({
        "Type": "APEL-accelerator-message", "Version": "0.1", "UsageRecords": [record]
    })
    .to_string()
}

fn cloud(at: usize, image: &str) -> CloudRecord {
    CloudRecord {
        month: "2026-03".parse().unwrap(),
        vm_uuid: format!("vm-{at}"),
        site_name: "S".to_owned(),
        cloud_compute_service: "one".to_owned(),
        machine_name: "m".to_owned(),
        owner: None,
        local_group_id: "example".to_owned(),
        fqan: "vo.example.org".to_owned(),
        end_time_s: None,
        start_time_s: 1_770_000_000,
        record_create_time_s: 1_774_999_999,
        wall_duration_s: 5,
        cpu_duration_s: 5,
        cpu_count_milli: 1500,
        memory_mib: 1,
        disk_gb: 1,
        image_id: Some(image.to_owned()),
        cpu_bound_us: 0,
        quality: Quality::Measured,
        known: Known::default(),
    }
}

fn gpus(month: Month, count_milli: u64) -> AcceleratorRecord {
    AcceleratorRecord {
        month,
        associated_record: "vm-1".to_owned(),
        owner: Some("somebody".to_owned()),
        fqan: "vo.example.org".to_owned(),
        site_name: "S".to_owned(),
        count_milli,
        available_duration_s: 10,
        active_duration_s: 5,
        model: "NVIDIA \"A\"".to_owned(),
        gpus: Vec::new(),
        held_us: 0,
        available_us: 0,
        busy_us: 0,
        busy_bound_us: 0,
        quality: Quality::Measured,
    }
}

fn send(records: &Records) -> (Vec<Message>, usize) {
    let mut outgoing = Outgoing::new(now());
    let mut unknown = |_: &_| Ok::<_, ()>(None);
    let mut messages = outgoing.add(records, &mut unknown).unwrap();
    messages.extend(outgoing.flush());
    let (counts, refused) = outgoing.finish();
    assert_eq!(counts.messages, messages.len());
    (messages, refused.len())
}

#[test]
fn messages_are_of_one_kind_and_not_too_long() {
    let month: Month = "2026-03".parse().unwrap();
    let records = Records {
        cloud: (0..250).map(|at| cloud(at, "image")).collect(),
        accelerators: vec![gpus(month, 1333), gpus(month.next(), 2000)],
        ..Records::default()
    };
    let (messages, refused) = send(&records);
    let sizes: Vec<usize> = messages.iter().map(|message| message.rows.len()).collect();
    assert_eq!((sizes, refused), (vec![100, 100, 50, 2], 0));
    for message in &messages {
        assert_eq!(judge(message.kind, &message.text), "good");
    }
    let last = &messages[3].text;
    assert!(
        last.contains("\"Count\":1.333,") && last.contains("\"Count\":2,"),
        "{last}"
    );
    assert!(
        messages[0]
            .text
            .starts_with("APEL-cloud-message: v0.4\nRecordCreateTime: ")
    );
    assert_eq!(messages[0].text.matches("%%\n").count(), 99);
}

#[test]
fn a_record_that_would_be_refused_does_not_take_its_message_with_it() {
    let month: Month = "2026-03".parse().unwrap();
    let records = Records {
        cloud: vec![cloud(1, "good"), cloud(2, "b\u{e4}d"), cloud(3, "a%%b")],
        accelerators: vec![gpus("2027-01".parse().unwrap(), 1000), gpus(month, 1000)],
        ..Records::default()
    };
    let (messages, refused) = send(&records);
    let sizes: Vec<usize> = messages.iter().map(|message| message.rows.len()).collect();
    assert_eq!((sizes, refused), (vec![1, 1], 3));
}

#[test]
fn what_was_published_as_it_is_stays_away() {
    let records = Records {
        cloud: vec![cloud(1, "a"), cloud(2, "a")],
        ..Records::default()
    };
    let known = records.cloud[0].row();
    let mut outgoing = Outgoing::new(now());
    let mut published = |row: &accounting::records::Row| {
        // The second was published too, but as something else.
        let same = row.key == known.key;
        Ok::<_, ()>(Some(if same {
            known.digest.clone()
        } else {
            "0".repeat(64)
        }))
    };
    assert!(outgoing.add(&records, &mut published).unwrap().is_empty());
    let messages = outgoing.flush();
    assert_eq!(messages[0].rows, [records.cloud[1].row()]);
    assert_eq!(outgoing.finish().0.unchanged, 1);
}
