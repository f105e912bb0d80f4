use super::*;
use crate::app::TestClient;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

/// Long enough for a busy machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn client(health: Health) -> TestClient<App> {
    let mut app = App::new();
    health.mount(&mut app);
    TestClient::new(app)
}

#[test]
fn text_and_json() {
    let health = || {
        let health = Health::new().check("a", || Ok(())).check("b", || Err("x\n: \"y\"".into()));
        health.limit(PATIENCE)
    };
    let text = client(health()).get("/readyz").send();
    assert_eq!(text.status, Status::SERVICE_UNAVAILABLE);
    assert_eq!(text.text(), "failed\ndraining: ok\nhelpers: ok\na: ok\nb: failed\n");
    assert_eq!(text.header("Cache-Control"), Some("no-store"));
    let shown = client(health().show()).get("/healthz").send();
    assert_eq!(shown.text(), "failed\nhelpers: ok\na: ok\nb: x : \"y\"\n");
    let json = |path: &str| {
        let mut client = client(health().show());
        let reply = client.get(path).header("Accept", "application/json, */*;q=0.1").send();
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        reply.text().to_owned()
    };
    assert_eq!(json("/livez"), r#"{"status":"ok"}"#);
    let checks = r#"{"helpers":"ok","a":"ok","b":"x\n: \"y\""}"#;
    assert_eq!(json("/healthz"), format!(r#"{{"status":"failed","checks":{checks}}}"#));
}

#[test]
fn without_checks_it_is_well() {
    let mut client = client(Health::default());
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(client.get(path).send().status, Status::OK, "{path}");
    }
}

#[test]
fn results_are_kept_for_a_while() {
    for (keep, want) in [(PATIENCE, 1), (Duration::ZERO, 3)] {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let check = move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let mut client = client(Health::new().check("a", check).limit(PATIENCE).keep(keep));
        for path in ["/readyz", "/healthz", "/readyz"] {
            assert_eq!(client.get(path).send().status, Status::OK);
        }
        assert_eq!(runs.load(Ordering::Relaxed), want);
    }
}

#[test]
fn a_check_that_hangs_fails_and_is_not_begun_twice() {
    let (begun, begins) = channel();
    let (go, going) = channel::<()>();
    let going = Mutex::new(going);
    let check = move || {
        let _ = begun.send(());
        let _ = going.lock().unwrap().recv();
        Ok(())
    };
    let health = Health::new().check("stuck", check).check("well", || Ok(()));
    let mut client = client(health.show().limit(Duration::from_millis(500)).keep(Duration::ZERO));
    for _ in 0..2 {
        let reply = client.get("/healthz").send();
        assert_eq!(reply.text(), "failed\nhelpers: ok\nstuck: it takes too long\nwell: ok\n");
    }
    assert_eq!(begins.try_iter().count(), 1, "once for the two");
    drop(go); // it, and all that follow, come to their end
    let deadline = Instant::now() + PATIENCE;
    while client.get("/healthz").send().status != Status::OK {
        assert!(Instant::now() < deadline, "it is not well again");
    }
}

#[test]
fn a_check_that_hangs_has_one_thread() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let (go, going) = channel::<()>();
    let going = Mutex::new(going);
    let check = move || {
        count.fetch_add(1, Ordering::Relaxed);
        let _ = going.lock().unwrap().recv();
        Ok(())
    };
    let limit = Duration::from_millis(5);
    let mut client = client(Health::new().check("stuck", check).limit(limit).keep(limit));
    for _ in 0..5 {
        assert_eq!(client.get("/readyz").send().status, Status::SERVICE_UNAVAILABLE);
    }
    assert!(begun.load(Ordering::Relaxed) <= 1, "its thread may not have come to it yet");
    drop(go);
}

#[test]
fn a_panic_is_a_failure_and_long_messages_are_cut() {
    let health = Health::new()
        .check("panics", || panic!("on purpose"))
        .check("talks", || Err("ä".repeat(5000)))
        .limit(PATIENCE)
        .show();
    let reply = client(health).get("/healthz").send();
    let text = format!("failed\nhelpers: ok\npanics: it panicked\ntalks: {}\n", "ä".repeat(1000));
    assert_eq!(reply.text(), text);
}
