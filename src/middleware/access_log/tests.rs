use super::*;
use crate::app::{App, TestClient};
use crate::http::{End, Method, Outcome, Request, Response, Status};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Tells that it was called, then waits until it may go on.
struct Gate {
    called: Sender<()>,
    open: Receiver<()>,
    kept: Kept,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.called.send(());
        let _ = self.open.recv();
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn request() -> Request {
    let mut request = Request::new(Method::GET, "/a\"b?c=\\d");
    request.origin.peer = crate::http::Peer::Tcp("192.0.2.7:4711".parse().unwrap());
    request.origin.connection = 42;
    request.headers_mut().add("User-Agent", b"evil\"\xffagent\t").unwrap();
    request
}

/// Logs one request that ended at that instant.
fn log_at(log: &AccessLog, ended: Instant) {
    let started = ended;
    let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_125);
    let ended = Now { instant: ended + Duration::from_micros(125_000), wall };
    let outcome = Outcome { status: Status::OK, bytes: 99, started, ended, end: End::Cut };
    let response = Response::new(Status::OK).text("hi");
    let (request, response) = (&request(), &response);
    log.done(&Done { request, response, route: Some("/a/{b}"), outcome: &outcome });
}

const COMBINED: &str = concat!(
    r#"192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] "GET /a\x22b?c=\x5cd HTTP/1.1" 200 99 "-" "#,
    r#""evil\x22\xffagent\x09""#,
    "\n"
);

#[test]
fn lines_of_both_formats_cannot_be_forged() {
    for (format, want) in [
        (Format::Combined, COMBINED),
        (
            Format::Json,
            concat!(
                r#"{"time":"1994-11-06T08:49:37.000Z","peer":"192.0.2.7:4711","connection":42,"#,
                r#""method":"GET","target":"/a\"b?c=\\d","version":"HTTP/1.1","route":"/a/{b}","#,
                r#""status":200,"bytes":99,"duration_us":125000,"#,
                r#""type":"text/plain; charset=utf-8","agent":"evil\""#,
                "\u{fffd}",
                r#"agent\t","end":"cut"}"#,
                "\n"
            ),
        ),
    ] {
        let kept = Kept::default();
        let log = AccessLog::to(kept.clone()).unwrap().format(format);
        log_at(&log, Instant::now());
        drop(log);
        assert_eq!(kept.text(), want);
    }
}

#[test]
fn long_fields_are_cut() {
    let kept = Kept::default();
    let mut app = App::new();
    app.wrap(AccessLog::to(kept.clone()).unwrap());
    let mut client = TestClient::new(app);
    client.get("/").header("Referer", &"\"".repeat(20_000)).send();
    drop(client);
    assert!(kept.text().len() < 4 * 4096 + 200, "{}", kept.text().len());
}

#[test]
fn a_known_user_is_one_word_of_the_line() {
    let kept = Kept::default();
    let log = AccessLog::to(kept.clone()).unwrap();
    for name in ["anna", "an na \" -"] {
        let mut request = request();
        request.extend(crate::middleware::User::new(name));
        let now = Now::read();
        let (started, end) = (now.instant, End::Sent);
        let outcome = Outcome { status: Status::OK, bytes: 9, started, ended: now, end };
        let response = &Response::default();
        log.done(&Done { request: &request, response, route: None, outcome: &outcome });
    }
    drop(log);
    let text = kept.text();
    let words: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(words, ["anna", r"an\x20na\x20\x22\x20-"]);
}

#[test]
fn lines_wait_for_a_second_at_most() {
    let kept = Kept::default();
    let log = AccessLog::to(kept.clone()).unwrap();
    let start = Instant::now();
    let now =
        |millis| Now { instant: start + Duration::from_millis(millis), wall: SystemTime::now() };
    assert_eq!(log.idle(now(0)), None, "nothing to write, nothing to wake for");
    log_at(&log, start);
    log_at(&log, start + Duration::from_millis(900));
    let due = start + Duration::from_millis(1125);
    assert_eq!(log.idle(now(200)), Some(due));
    assert_eq!(log.idle(now(1124)), Some(due));
    assert_eq!(log.idle(now(1125)), None);
    log_at(&log, start);
    assert!(log.idle(now(200)).is_some());
    drop(log);
    assert_eq!(kept.text(), COMBINED.repeat(3));
}

#[test]
fn a_stuck_writer_costs_lines_and_nothing_else() {
    let (called, was_called) = channel();
    let (go, open) = channel();
    let kept = Kept::default();
    let log = AccessLog::to(Gate { called, open, kept: kept.clone() }).unwrap();
    let handle = log.handle();
    let start = Instant::now();
    log_at(&log, start);
    let later = Now { instant: start + AGE_MAX * 2, wall: SystemTime::now() };
    assert_eq!(log.idle(later), None);
    was_called.recv().unwrap(); // the thread sits in its first write now
    // More than queue and buffer hold: if this blocked, the test would hang.
    let lines = 16 * FLUSH / COMBINED.len();
    (0..lines).for_each(|_| log_at(&log, start));
    let dropped = handle.dropped() as usize;
    assert!(dropped > 0 && dropped < lines, "{dropped} of {lines}");
    let retry = log.idle(later);
    assert_eq!(retry, Some(later.instant + AGE_MAX), "no room: not a turn after the other");
    drop(go); // the gate stays open from now on
    drop(log);
    assert_eq!(handle.dropped() as usize, dropped);
    assert!(kept.text() == COMBINED.repeat(1 + lines - dropped), "whole lines, none twice");
}

#[test]
fn a_failing_writer_counts_what_it_loses() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = AccessLog::to(Full).unwrap();
    let handle = log.handle();
    (0..3).for_each(|_| log_at(&log, Instant::now()));
    drop(log);
    assert_eq!(handle.dropped(), 3);
}

/// A directory that is gone afterwards.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_appended_to_and_reopened() {
    let dir = std::env::temp_dir().join(format!("onepoll-access-log-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let dir = Temp(dir);
    let (path, old) = (dir.0.join("log"), dir.0.join("log.1"));
    std::fs::write(&path, "before\n").unwrap();
    let log = AccessLog::file(&path).unwrap();
    let twin = log.clone();
    log_at(&twin, Instant::now());
    drop(twin); // writes its line, the thread stays
    log_at(&log, Instant::now());
    drop(log);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("before\n{COMBINED}{COMBINED}"));

    let log = AccessLog::file(&path).unwrap();
    std::fs::rename(&path, &old).unwrap();
    log.handle().reopen();
    log_at(&log, Instant::now());
    drop(log);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), COMBINED);
    assert!(AccessLog::file("/nonexistent/directory/log").is_err());
}

#[test]
fn it_may_go_to_another_thread() {
    fn is_send<T: Send + Clone>(_: &T) {}
    is_send(&AccessLog::to(Kept::default()).unwrap());
}
