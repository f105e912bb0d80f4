use super::*;
use crate::app::{App, TestClient, TestResponse};
use crate::http::{Exchange, Job, Response, Service, Step};

const SECRET: &str = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
const ANNA: &str = "Basic YW5uYTpzZWNyZXQ="; // anna:secret
const WRONG: &str = "Basic YW5uYTp3cm9uZw=="; // anna:wrong
const NOBODY: &str = "Basic bm9ib2R5OnNlY3JldA=="; // nobody:secret

fn app(auth: BasicAuth) -> App {
    let mut app = App::new();
    app.wrap(auth);
    app.get("/", |request: &mut Request| {
        request.extension::<User>().map(|user| format!("hello {}", user.name()))
    });
    app
}

fn auth(line: &str) -> BasicAuth {
    BasicAuth::new("back \"office\"").unwrap().user(line).unwrap()
}

fn get(client: &mut TestClient<App>, authorization: &str) -> TestResponse {
    client.get("/").header("Authorization", authorization).send()
}

#[test]
fn who_knows_the_password_comes_in() {
    for line in [format!("anna:{SECRET}"), "anna:plain:secret".to_owned()] {
        let mut client = TestClient::new(app(auth(&line)));
        for _ in 0..3 {
            assert_eq!(get(&mut client, ANNA).text(), "hello anna");
        }
        for other in [WRONG, NOBODY, "Basic !", "Bearer x", "Basic YW5uYTo="] {
            let response = get(&mut client, other);
            assert_eq!(response.status.code(), 401, "{other}");
            let challenge = response.headers.text("www-authenticate");
            assert_eq!(challenge, Some(r#"Basic realm="back \"office\"", charset="UTF-8""#));
        }
        let twice = client.get("/").header("Authorization", ANNA).header("Authorization", ANNA);
        assert_eq!(twice.send().status.code(), 401);
        assert_eq!(client.get("/").send().status.code(), 401);
        // Nothing about what is there and what is not.
        assert_eq!(client.get("/none").send().status.code(), 401);
    }
}

#[test]
fn what_is_refused_passes_through_the_error_page() {
    let mut app = app(auth("anna:plain:secret"));
    app.errors(|_, status, _| Response::new(status).html(format!("<h1>{status}</h1>")));
    let response = TestClient::new(app).get("/").send();
    assert_eq!(response.text(), "<h1>401 Unauthorized</h1>");
    assert!(response.headers.get("www-authenticate").is_some());
}

#[test]
fn without_users_nobody_comes_in() {
    let mut client = TestClient::new(app(BasicAuth::new("x").unwrap()));
    assert_eq!(get(&mut client, ANNA).status.code(), 401);
}

/// What the application says to a request of that peer, up to its job.
fn begin(app: &mut App, authorization: &str, peer: Peer) -> Result<(Box<Exchange>, Job), u16> {
    let mut exchange = Box::<Exchange>::default();
    exchange.request = Request::new(crate::http::Method::GET, "/");
    exchange.request.headers_mut().add("Authorization", authorization).unwrap();
    exchange.request.origin.peer = peer;
    match app.begin(exchange) {
        Step::Offload(exchange, job) => Ok((exchange, job)),
        Step::Respond(exchange) => Err(exchange.response.status().code()),
        step => panic!("{step:?}"),
    }
}

fn end(app: &mut App, (mut exchange, job): (Box<Exchange>, Job)) -> u16 {
    (job.run)(&mut exchange);
    match app.resume(exchange) {
        Step::Respond(exchange) => exchange.response.status().code(),
        step => panic!("{step:?}"),
    }
}

fn peer(number: u8) -> Peer {
    Peer::Tcp(([192, 0, 2, number], 4711).into())
}

#[test]
fn the_slow_hash_is_computed_elsewhere_and_once() {
    let mut app = app(auth(&format!("anna:{SECRET}")));
    let job = begin(&mut app, ANNA, peer(1)).expect("a helper is asked");
    assert_eq!(end(&mut app, job), 200);
    assert_eq!(begin(&mut app, ANNA, peer(2)).err(), Some(200), "it is remembered");
    // What was wrong is not, and a stranger takes the same way.
    for wrong in [WRONG, NOBODY, WRONG, NOBODY] {
        let job = begin(&mut app, wrong, peer(1)).expect("a helper is asked");
        assert_eq!(end(&mut app, job), 401);
    }
}

#[test]
fn what_was_remembered_is_forgotten_in_time() {
    let mut app = app(auth(&format!("anna:{SECRET}")).remember(Duration::ZERO));
    for _ in 0..2 {
        let job = begin(&mut app, ANNA, peer(1)).expect("a helper is asked");
        assert_eq!(end(&mut app, job), 200);
    }
}

#[test]
fn a_brute_force_does_not_fill_the_helpers_queue() {
    let mut app = app(auth(&format!("anna:{SECRET}")));
    let job = begin(&mut app, ANNA, peer(1)).expect("a helper is asked");
    end(&mut app, job);
    let mut jobs = Vec::new();
    for client in 0..=4 {
        for at in 0..AT_WORK_PER_CLIENT + 2 {
            let expected = match (client, at) {
                (4, _) => Some(503),
                (_, at) if at >= AT_WORK_PER_CLIENT => Some(if client == 3 { 503 } else { 429 }),
                _ => None,
            };
            match begin(&mut app, WRONG, peer(10 + client)) {
                Ok(job) => {
                    assert_eq!(expected, None, "client {client}, request {at}");
                    jobs.push(job);
                }
                Err(status) => assert_eq!(Some(status), expected, "client {client}, {at}"),
            }
        }
    }
    assert_eq!(jobs.len(), AT_WORK_MAX);
    assert_eq!(begin(&mut app, ANNA, peer(2)).err(), Some(200), "who is remembered passes");
    // One is done, another is lost with its client: two places.
    let job = jobs.pop().expect("32 of them");
    assert_eq!(end(&mut app, job), 401);
    drop(jobs.pop());
    let (first, second) = (begin(&mut app, WRONG, peer(3)), begin(&mut app, WRONG, peer(3)));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(begin(&mut app, WRONG, peer(3)).err(), Some(503));
}

#[test]
fn a_file_of_users_is_read_and_its_mistakes_are_named() {
    let path = std::env::temp_dir().join(format!("onepoll-users-{}", std::process::id()));
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        BasicAuth::new("x").unwrap().file(&path)
    };
    let auth = read(&format!("# people\nanna:{SECRET}\r\n\nben:plain:p:w \n")).unwrap();
    assert_eq!(auth.users(), 2);
    let error = read("anna:plain:x\nben:hunter2\n").unwrap_err().to_string();
    assert!(error.contains("line 2: the hash must be bcrypt's"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = BasicAuth::new("x").unwrap().file(&path).unwrap_err().to_string();
    assert!(error.ends_with(": no such file"), "{error}");
}
