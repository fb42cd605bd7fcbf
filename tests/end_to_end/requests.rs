//! Invalid requests, errors of the gateway, and validation without storage.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::TestResult;
use crate::world::{World, document, gzip, reading};

pub async fn each_invalid_request_gets_a_specific_error(world: Arc<World>) -> TestResult {
    let user = world.user();
    let receipt = world.upload_by_rest(&user, &document("x.json", reading("asked", 0, 1.0).to_string())).await?;
    let id = receipt["upload_id"].as_str().ok_or("no id")?;
    let good = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let without = |member: &str| {
        let mut body = good.clone();
        body.as_object_mut().map(|body| body.remove(member));
        body
    };
    let nothing = || Value::Null;
    let long = "x".repeat(3_000);
    let rows: Vec<(&str, &str, String, Value, u16, &str, &str)> = vec![
        ("no file name", "POST", "/uploads".into(), without("file_name"), 400, "invalid-request", "file_name"),
        ("no size", "POST", "/uploads".into(), without("size"), 400, "invalid-request", "size"),
        ("a size that is text", "POST", "/uploads".into(), with("size", json!("2")), 400, "invalid-request", "size"),
        ("a negative size", "POST", "/uploads".into(), with("size", json!(-1)), 400, "invalid-request", "size"),
        ("6 GiB", "POST", "/uploads".into(), with("size", json!(6u64 << 30)), 400, "invalid-request", "size"),
        (
            "CSV",
            "POST",
            "/uploads".into(),
            with("content_type", json!("text/csv")),
            400,
            "invalid-request",
            "content_type",
        ),
        (
            "a line feed in a header",
            "POST",
            "/uploads".into(),
            with("content_type", json!("application/json\r\nx: y")),
            400,
            "invalid-request",
            "content_type",
        ),
        (
            "an unknown schema",
            "POST",
            "/uploads".into(),
            with("schema", json!("orders/1.0")),
            400,
            "unknown-schema",
            "reading/1.0",
        ),
        ("no schema", "POST", "/uploads".into(), with("schema", json!("orders")), 400, "unknown-schema", "reading/1.0"),
        (
            "an invalid digest",
            "POST",
            "/uploads".into(),
            with("sha256", json!("abc")),
            400,
            "invalid-request",
            "sha256",
        ),
        (
            "a ratio above one",
            "POST",
            "/uploads".into(),
            with("max_rejected", json!({ "ratio": 2 })),
            400,
            "invalid-request",
            "max_rejected",
        ),
        (
            "an expiry of a week",
            "POST",
            "/uploads".into(),
            with("expires_in", json!(604_800)),
            400,
            "invalid-request",
            "expires_in",
        ),
        ("an extra member", "POST", "/uploads".into(), with("owner", json!("me")), 400, "invalid-request", "owner"),
        ("an array", "POST", "/uploads".into(), json!([]), 400, "invalid-request", ""),
        ("no id", "GET", "/uploads/nonsense".into(), nothing(), 400, "invalid-request", "upload_id"),
        (
            "a lower-case id",
            "GET",
            format!("/uploads/{}", id.to_lowercase()),
            nothing(),
            400,
            "invalid-request",
            "upload_id",
        ),
        ("an unknown id", "GET", "/uploads/up_00000000000000000000000000".into(), nothing(), 404, "not-found", ""),
        ("an unknown item", "GET", format!("/quarantine/{id}"), nothing(), 404, "not-found", ""),
        ("a wrong method", "PUT", "/uploads".into(), nothing(), 405, "method-not-allowed", ""),
        ("a wrong method below", "POST", format!("/uploads/{id}"), nothing(), 405, "method-not-allowed", ""),
        ("no such route", "GET", "/nothing/here".into(), nothing(), 404, "no-such-route", ""),
        ("no such route below", "GET", "/uploads/a/b/c".into(), nothing(), 404, "no-such-route", ""),
        ("an invalid state", "GET", "/uploads?state=lost".into(), nothing(), 400, "invalid-request", "accepted"),
        ("a limit of 0", "GET", "/uploads?limit=0".into(), nothing(), 400, "invalid-request", "limit"),
        ("a limit of 101", "GET", "/uploads?limit=101".into(), nothing(), 400, "invalid-request", "limit"),
        ("an unknown parameter", "GET", "/uploads?order=asc".into(), nothing(), 400, "invalid-request", "order"),
        ("a parameter twice", "GET", "/uploads?limit=1&limit=2".into(), nothing(), 400, "invalid-request", "limit"),
        (
            "an invalid time",
            "GET",
            "/?device_id=asked&from=yesterday".into(),
            nothing(),
            400,
            "invalid-request",
            "from",
        ),
        (
            "an invalid day",
            "GET",
            "/?device_id=asked&from=2025-02-30T00:00:00Z".into(),
            nothing(),
            400,
            "invalid-request",
            "from",
        ),
        (
            "from after to",
            "GET",
            "/?device_id=asked&from=2025-03-01T00:00:00Z&to=2025-02-01T00:00:00Z".into(),
            nothing(),
            400,
            "invalid-request",
            "from",
        ),
        ("no device", "GET", "/".into(), nothing(), 400, "invalid-request", "device_id"),
        ("an unknown measure", "GET", "/?device_id=asked&measure=speed".into(), nothing(), 404, "not-found", ""),
        (
            "an invalid bucket",
            "GET",
            "/devices/asked/series?bucket=week".into(),
            nothing(),
            400,
            "invalid-request",
            "bucket",
        ),
        (
            "a bucket of zero length",
            "GET",
            "/devices/asked/series?bucket=0s".into(),
            nothing(),
            400,
            "invalid-request",
            "bucket",
        ),
        ("an invalid code", "GET", "/quarantine?code=WRONG".into(), nothing(), 400, "invalid-request", "code"),
        (
            "a device of 3,000 letters",
            "GET",
            format!("/devices/{long}/stats"),
            nothing(),
            400,
            "invalid-request",
            "device_id",
        ),
        (
            "an unknown schema to validate by",
            "POST",
            "/validate?schema=orders/1.0".into(),
            json!({}),
            400,
            "unknown-schema",
            "reading/1.0",
        ),
    ];
    for (name, method, path, body, status, slug, names) in rows {
        let reply = world.call(&user, method, &path, body).await?;
        if status == 405 {
            assert!(!reply.header("allow").is_empty(), "{name}: {reply:?}");
        }
        let problem = reply.problem(status, slug).map_err(|error| format!("{name}: {error}"))?;
        assert!(problem.to_string().contains(names), "{name}: {problem:#}");
    }
    let token = format!("Bearer {}", user.token);
    type Raw = (&'static str, &'static str, &'static str, Vec<u8>, u16, &'static str);
    let raw: Vec<Raw> = vec![
        ("no JSON", "/uploads", "application/json", b"{".to_vec(), 400, "invalid-request"),
        ("not UTF-8", "/uploads", "application/json", b"{\"file_name\":\"\xff\"}".to_vec(), 400, "invalid-request"),
        (
            "another content type",
            "/uploads",
            "text/plain",
            good.to_string().into_bytes(),
            415,
            "unsupported-content-type",
        ),
        ("a large request", "/uploads", "application/json", vec![b' '; 2 << 20], 413, "body-too-large"),
        ("CSV to validate", "/validate", "text/csv", b"a,b".to_vec(), 415, "unsupported-content-type"),
        ("5 MiB to validate", "/validate", "application/json", vec![b' '; 5 << 20], 413, "body-too-large"),
    ];
    for (name, path, content_type, body, status, slug) in raw {
        let headers = [("authorization", token.as_str()), ("content-type", content_type)];
        let reply = world.send("POST", path, &headers, body).await?;
        reply.problem(status, slug).map_err(|error| format!("{name}: {error}"))?;
    }
    let listed = world.get(&user, "/uploads").await?;
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(1), "no invalid request creates an upload");
    Ok(())
}

pub async fn validate_returns_the_verdict_of_an_upload_and_stores_nothing(world: Arc<World>) -> TestResult {
    let user = world.user();
    let token = format!("Bearer {}", user.token);
    let mixed = format!("{}\n{}\nno JSON\n", reading("tried", 0, 35.0), json!({ "device_id": "tried" }));
    for (encoding, body) in [("identity", mixed.clone().into_bytes()), ("gzip", gzip(mixed.as_bytes()))] {
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/x-ndjson"),
            ("content-encoding", encoding),
        ];
        let verdict = world.send("POST", "/validate", &headers, body).await?.expect(200)?;
        assert_eq!(
            (&verdict["outcome"], &verdict["accepted"], &verdict["rejected"]),
            (&json!("partially_accepted"), &json!(1), &json!(2)),
            "{encoding}: {verdict:#}"
        );
        let uploaded = world.upload_by_rest(&user, &document("tried.ndjson", mixed.clone())).await?;
        assert_eq!(verdict["failures"], uploaded["failures"], "validation and upload report the same failures");
        assert_eq!(verdict["statistics"], uploaded["statistics"]);
        world
            .call(
                &user,
                "DELETE",
                &format!("/uploads/{}", uploaded["upload_id"].as_str().unwrap_or_default()),
                Value::Null,
            )
            .await?;
    }
    assert_eq!(world.stats(&user, "tried").await?, Value::Null);
    let utf16: Vec<u8> = reading("tried", 0, 1.0).to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let verdict = world.send("POST", "/validate", &headers, utf16).await?.expect(200)?;
    assert_eq!(verdict["failures"][0]["code"], "NOT_UTF8", "the bytes arrive unchanged: {verdict:#}");
    let same = format!("[{}7]", "7,".repeat(100_001));
    let verdict = world.send("POST", "/validate", &headers, same.into_bytes()).await?.expect(200)?;
    let read_until = json!({ "records": 10_000, "line": 1, "byte_offset": 1 + 2 * 9_999 });
    assert_eq!((&verdict["rejected"], &verdict["read_until"]), (&json!(10_000), &read_until));
    let headers = [headers[0], ("content-type", "application/x-ndjson"), ("content-encoding", "gzip")];
    for (name, line) in [("rejected", "7\n{}\n".to_owned()), ("accepted", format!("{}\n", reading("tried", 0, 1.0)))] {
        let bomb = gzip(line.repeat(500_000).as_bytes());
        let reply = world.send("POST", "/validate", &headers, bomb).await?;
        reply.problem(413, "body-too-large").map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

pub async fn hostile_headers_get_an_answer_and_harm_no_other_request(world: Arc<World>) -> TestResult {
    let user = world.user();
    let token = format!("Bearer {}", user.token);
    let names = [
        "x-forwarded-proto",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-host",
        "forwarded",
        "via",
        "accept",
        "content-type",
        "content-encoding",
        "cookie",
        "origin",
        "referer",
        "range",
        "if-none-match",
        "user-agent",
        "x-amzn-trace-id",
        "x-api-key",
        "idempotency-key",
    ];
    let values: [&[u8]; 7] =
        [b"a b", b"://", b"\xff\xfe", "é\u{202e}".as_bytes(), b"%zz", b"[::1", b"example.com:99999"];
    for name in names {
        for value in values {
            let value = reqwest::header::HeaderValue::from_bytes(value)?;
            for path in ["/health", "/uploads"] {
                let request = world.http.get(format!("{}{path}", world.client.api)).header("authorization", &token);
                let status = request.header(name, value.clone()).send().await?.status().as_u16();
                assert!(matches!(status, 200 | 304 | 400), "{path} with {name}: {value:?}: {status}");
            }
        }
        for path in ["/health", "/uploads"] {
            world.send("GET", path, &[("authorization", &token)], Vec::new()).await?.expect(200)?;
        }
    }
    Ok(())
}

pub async fn gateway_errors_are_problem_details(world: Arc<World>) -> TestResult {
    let user = world.user();
    for (name, method, path, headers) in [
        ("no token", "GET", "/uploads", vec![]),
        ("no token on an unknown path", "GET", "/nothing", vec![]),
        ("a token of another form", "GET", "/devices", vec![("authorization", "Basic Zm9vOmJhcg==")]),
    ] {
        let reply = world.send(method, path, &headers, Vec::new()).await?;
        reply.problem(401, "unauthorized").map_err(|error| format!("{name}: {error}"))?;
    }
    let health = world.send("GET", "/health", &[], Vec::new()).await?.expect(200)?;
    assert_eq!(health["status"], "ok");
    assert!(health["sign_in"]["client_id"].is_string());
    // Headers close to the largest size that a server accepts.
    let large = "x".repeat(7_000);
    let token = format!("Bearer {}", user.token);
    let headers = [("authorization", token.as_str()), ("x-large", large.as_str())];
    world.send("GET", "/devices", &headers, Vec::new()).await?.expect(200)?;
    Ok(())
}
