//! Owners: the full life of an upload, access rights, receipts and lists.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use eventpulse_aws::clock;
use eventpulse_aws::workflows::issue::{Request, issue};
use serde_json::{Value, json};

use crate::TestResult;
use crate::world::{World, document, reading};

/// Joins records to NDJSON.
pub fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

pub async fn owner_uploads_reads_statistics_and_fixes_the_quarantine(world: Arc<World>) -> TestResult {
    let user = world.user();
    let good = document("good.json", reading("trip", 0, 35.0).to_string());
    let mixed = lines(&[reading("trip", 1, 40.0), json!({ "device_id": "trip", "value": 1 })]);
    let bad = r#"{"device_id":"trip","timestamp":"2025-02-28T00:00:02Z","value":"123"}"#;

    let receipt = world.upload_by_rest(&user, &good).await?;
    assert_eq!(receipt["state"], "accepted", "{receipt:#}");
    assert_eq!(receipt["statistics"][0]["median"], 35.0);
    let receipt = world.upload_by_rest(&user, &document("mixed.ndjson", mixed)).await?;
    assert_eq!((&receipt["state"], &receipt["accepted"]), (&json!("partially_accepted"), &json!(1)));
    assert_eq!(receipt["failures"][0]["code"], "REQUIRED");
    assert_eq!(receipt["failures"][0]["line"], 2);
    let receipt = world.upload_by_rest(&user, &document("bad.json", bad)).await?;
    assert_eq!(receipt["state"], "quarantined");
    assert_eq!(
        (&receipt["failures"][0]["code"], &receipt["failures"][0]["pointer"]),
        (&json!("TYPE"), &json!("/value"))
    );
    let id = receipt["upload_id"].as_str().ok_or("no id")?;

    let before = world.stats(&user, "trip").await?;
    assert_eq!((before["count"].as_u64(), before["mean"].as_f64()), (Some(2), Some(37.5)), "{before:#}");
    assert_eq!(before["uploads"]["excluded"]["quarantined"]["count"], 2);
    let range = "/devices/trip/stats?measure=value&from=2025-02-28T00:00:01Z&to=2025-02-28T00:00:02Z";
    assert_eq!(world.get(&user, range).await?["median"], 40.0);

    let item = world.get(&user, &format!("/quarantine/{id}")).await?;
    assert_eq!(item["report"]["records"][0]["failures"][0]["code"], "TYPE");
    let url = item["download"]["object"]["url"].as_str().ok_or("no link")?;
    let download = world.http.get(url).send().await?;
    let disposition = download.headers().get("content-disposition").map(|value| value.to_str().map(str::to_owned));
    assert!(disposition.transpose()?.is_some_and(|text| text.starts_with("attachment; filename=\"bad.json\"")));
    let held = download.text().await?;
    assert_eq!(held, bad);

    let fixed = held.replace("\"123\"", "123");
    world.retry(&user, id, Some(("application/json", &fixed))).await?.expect(202)?;
    let receipt = world.outcome(&user, id).await?;
    assert_eq!((&receipt["state"], &receipt["quarantine"]["status"]), (&json!("accepted"), &json!("resolved")));
    let after = world.stats(&user, "trip").await?;
    assert_eq!(
        (after["count"].as_u64(), after["mean"].as_f64(), after["median"].as_f64()),
        (Some(3), Some(66.0), Some(40.0))
    );
    assert_eq!(after["standard_deviation"], 49.42671342502959);
    assert_eq!(after["uploads"]["excluded"]["quarantined"]["count"], 1);
    assert!(after["uploads"]["included"]["upload_ids"].as_array().is_some_and(|ids| ids.contains(&json!(id))));
    Ok(())
}

pub async fn every_route_refuses_other_owners_and_anonymous_calls(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let receipt = world.upload_by_rest(&user, &document("x.json", "{}")).await?;
    let id = receipt["upload_id"].as_str().ok_or("no id")?;
    world.upload_by_rest(&user, &document("y.json", reading("mine", 0, 1.0).to_string())).await?;
    let key = world.call(&user, "POST", "/keys", json!({})).await?.expect(201)?;
    let key_id = key["key_id"].as_str().ok_or("no key")?;
    let document = world.send("GET", "/openapi.json", &[], Vec::new()).await?.expect(200)?;
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().ok_or("no paths")? {
        let filled_path = path.replace("{upload_id}", id).replace("{device_id}", "mine").replace("{key_id}", key_id);
        for (method, operation) in methods.as_object().ok_or("no methods")? {
            if operation["servers"].is_array() {
                continue; // the device API, which takes keys: see devices.rs
            }
            seen += 1;
            let method = method.to_uppercase();
            let name = format!("{method} {path}");
            let anonymous = world.send(&method, &filled_path, &[], Vec::new()).await?;
            if operation["security"].as_array().is_some_and(Vec::is_empty)
                || path == "/health"
                || path == "/openapi.json"
            {
                assert_eq!(anonymous.status, 200, "{name}");
                continue;
            }
            assert_eq!(anonymous.header("www-authenticate"), "Bearer", "{name}");
            anonymous.problem(401, "unauthorized")?;
            if path.contains('{') {
                let body = if path.ends_with("/correction") {
                    json!({ "content_type": "application/json", "size": 2 })
                } else if path.ends_with("/rotate") {
                    json!({})
                } else {
                    Value::Null
                };
                let theirs = world.call(&other, &method, &filled_path, body).await?;
                theirs.problem(404, "not-found").map_err(|error| format!("{name} as another owner: {error}"))?;
            }
        }
    }
    assert!(seen >= 15, "{seen} operations");
    let theirs = world.call(&other, "GET", "/?device_id=mine", Value::Null).await?;
    theirs.problem(404, "not-found")?;
    for list in ["/uploads", "/quarantine", "/devices", "/keys"] {
        let (mine, theirs) = (world.get(&user, list).await?, world.get(&other, list).await?);
        let length =
            |page: &Value| page.as_object().and_then(|page| page.values().find_map(Value::as_array)).map(Vec::len);
        assert!(length(&mine) >= Some(1) && length(&theirs) == Some(0), "{list}: {mine} {theirs}");
    }
    let untouched = world.get(&user, &format!("/uploads/{id}")).await?;
    assert_eq!(untouched["history"], receipt["history"], "calls of other owners change nothing");
    Ok(())
}

pub async fn invalid_tokens_are_refused(world: Arc<World>) -> TestResult {
    let user = world.user();
    let parts: Vec<&str> = user.token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[1])?)?;
    claims["sub"] = json!("somebody-else");
    let forged = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let access_token =
        world.client.tokens(user.owner.as_str()).await?["AccessToken"].as_str().ok_or("none")?.to_owned();
    for (name, token) in [
        ("no token at all", String::new()),
        ("no JWT", "nonsense".to_owned()),
        ("another sub under the same signature", format!("{}.{forged}.{}", parts[0], parts[2])),
        ("no signature", format!("{unsigned}.{}.", parts[1])),
        ("a damaged signature", format!("{}.{}.{}AAAA", parts[0], parts[1], &parts[2][..parts[2].len() - 4])),
        ("an access token", access_token),
    ] {
        let headers = [("authorization", format!("Bearer {token}"))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for path in ["/uploads", "/devices"] {
            let reply = world.send("GET", path, &headers, Vec::new()).await?;
            reply.problem(401, "unauthorized").map_err(|error| format!("{name}, {path}: {error}"))?;
        }
    }
    let bare = world.send("GET", "/devices", &[("authorization", &user.token)], Vec::new()).await?;
    bare.expect(200)?;
    Ok(())
}

pub async fn receipts_show_every_state(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("x.json", reading("states", 0, 1.0).to_string());
    let issued = world.client.issue(&user, &sample).await?;
    let receipt = world.get(&user, &format!("/uploads/{}", issued.upload_id)).await?;
    assert_eq!((&receipt["state"], &receipt["size"]), (&json!("issued"), &Value::Null), "{receipt:#}");

    let accepted = world.upload_by_rest(&user, &sample).await?;
    assert_eq!(
        (&accepted["state"], &accepted["accepted"], &accepted["rejected"]),
        (&json!("accepted"), &json!(1), &json!(0))
    );
    assert_eq!(accepted["size"], sample.bytes.len());
    let duplicate = world.upload_by_rest(&user, &sample).await?;
    assert_eq!((&duplicate["state"], &duplicate["duplicate_of"]), (&json!("duplicate"), &accepted["upload_id"]));

    // A URL that is valid for one second, from the function behind POST /uploads. The route itself requires a minute.
    let request = Request {
        owner: &user.owner,
        file_name: "late.json",
        content_type: "application/json",
        content_encoding: None,
        size: 2,
        sha256_base64: None,
        schema: None,
        max_rejected: None,
        expires_in: Duration::from_secs(1),
    };
    let short = issue(&world.client.services, &request, clock(), *b"eventpulse").await?;
    let expired = world.receipt(&user, short.upload_id.as_str(), |receipt| receipt["state"] == "expired").await?;
    assert_eq!(expired["accepted"], 0);
    assert_eq!(world.client.put(&short, b"{}".to_vec()).await?, 403, "an expired URL is refused");
    let listed = world.get(&user, "/uploads?state=expired").await?;
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["uploads"][0]["upload_id"], short.upload_id.as_str());
    Ok(())
}

pub async fn lists_page_and_filter_and_refuse_foreign_cursors(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let mut ids = Vec::new();
    for number in 0..7 {
        let bytes = if number % 2 == 0 { reading("paged", number, 1.0).to_string() } else { "[".to_owned() };
        let receipt = world.upload_by_rest(&user, &document(&format!("{number}.json"), bytes)).await?;
        ids.push(receipt["upload_id"].as_str().ok_or("no id")?.to_owned());
    }
    ids.reverse();
    for (list, member, limit, expected) in [
        ("/uploads?", "uploads", 3, ids.clone()),
        ("/uploads?state=accepted&", "uploads", 1, ids.iter().step_by(2).cloned().collect()),
        ("/quarantine?code=TRUNCATED&", "uploads", 2, ids.iter().skip(1).step_by(2).cloned().collect()),
        ("/quarantine?code=TYPE&", "uploads", 2, Vec::new()),
    ] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = world.get(&user, &format!("{list}limit={limit}{cursor}")).await?;
            let items = page[member].as_array().ok_or("no list")?;
            assert!(items.len() <= limit, "{list}: {page:#}");
            found.extend(items.iter().map(|item| item["upload_id"].as_str().unwrap_or_default().to_owned()));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, expected, "{list}");
        assert!(pages >= expected.len().div_ceil(limit).max(1), "{list}");
    }
    let first = world.get(&user, "/uploads?limit=2").await?;
    let next = first["next"].as_str().ok_or("no cursor")?;
    let mut tampered = next.to_owned().into_bytes();
    let middle = tampered.len() / 2;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    for (name, who, path) in [
        ("tampered", &user, format!("/uploads?limit=2&cursor={}", String::from_utf8(tampered)?)),
        ("another's", &other, format!("/uploads?limit=2&cursor={next}")),
        ("of another filter", &user, format!("/uploads?limit=2&state=accepted&cursor={next}")),
        ("of another list", &user, format!("/quarantine?limit=2&cursor={next}")),
        ("garbage", &user, "/uploads?cursor=garbage".to_owned()),
    ] {
        let reply = world.call(who, "GET", &path, Value::Null).await?;
        reply.problem(400, "invalid-cursor").map_err(|error| format!("{name}: {error}"))?;
    }
    let created = world.get(&user, &format!("/uploads/{}", ids[3])).await?["created_at"].clone();
    let from = created.as_str().ok_or("no time")?;
    let since: BTreeSet<String> = listed(&world.get(&user, &format!("/uploads?from={from}")).await?);
    assert_eq!(since, ids[..=3].iter().cloned().collect(), "`from` is inclusive");
    let until: BTreeSet<String> = listed(&world.get(&user, &format!("/uploads?to={from}")).await?);
    assert_eq!(until, ids[4..].iter().cloned().collect(), "`to` is exclusive");
    Ok(())
}

fn listed(page: &Value) -> BTreeSet<String> {
    let items = page["uploads"].as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item["upload_id"].as_str().map(str::to_owned)).collect()
}

pub async fn cors_allows_the_console_origin_only(world: Arc<World>) -> TestResult {
    let user = world.user();
    let token = format!("Bearer {}", user.token);
    for (origin, allowed) in [("http://localhost:5173", true), ("https://evil.example", false)] {
        let preflight = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let is_allowed = |header: &str| if allowed { header == origin } else { header != origin && header != "*" };
        for path in ["/uploads", "/devices", "/", "/quarantine/x/retry"] {
            let reply = world.send("OPTIONS", path, &preflight, Vec::new()).await?;
            assert!(is_allowed(reply.header("access-control-allow-origin")), "{origin} {path}: {reply:?}");
        }
        let reply = world.send("GET", "/uploads", &[("origin", origin), ("authorization", &token)], Vec::new()).await?;
        assert!(is_allowed(reply.header("access-control-allow-origin")), "{origin}: {reply:?}");
        if allowed {
            let refused = world.send("GET", "/uploads", &[("origin", origin)], Vec::new()).await?;
            assert_eq!(
                refused.header("access-control-allow-origin"),
                origin,
                "the console can read the gateway's responses"
            );
        }
    }
    Ok(())
}
