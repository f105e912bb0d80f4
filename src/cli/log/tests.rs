//! The queue: what is lost is counted, and a closed output ends it quietly.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// A sink that keeps what it gets and does with each line what it was told.
struct Scripted<F: Fn(usize)> {
    lines: Mutex<Vec<String>>,
    each: F,
}

impl<F: Fn(usize) + Send + Sync> Log for Scripted<F> {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let at = self.lines.lock().unwrap().len();
        (self.each)(at);
        self.lines.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

fn line(text: &str) -> Line {
    Line::new(&Record::builder().args(format_args!("{text}")).build())
}

#[test]
fn what_does_not_fit_is_counted_and_reported_where_it_was_lost() {
    let queue = Queue::default();
    for i in 0..LINES_MAX + 3 {
        queue.push(line(&i.to_string()));
    }
    let mut batch = VecDeque::new();
    assert_eq!(queue.take(&mut batch), 3);
    assert_eq!(batch.len(), LINES_MAX);
    // The count starts anew.
    queue.push(line("later"));
    batch.clear();
    assert_eq!(queue.take(&mut batch), 0);
    assert_eq!(batch.len(), 1);
}

#[test]
fn long_lines_are_bounded_by_their_sum() {
    let queue = Queue::default();
    let long = "x".repeat(10_000);
    for _ in 0..1000 {
        queue.push(line(&long));
    }
    let state = queue.lock();
    assert!(state.bytes <= BYTES_MAX);
    assert!(state.lines.len() > 300 && state.lines.len() + state.dropped as usize == 1000);
}

#[test]
fn the_writer_tells_of_a_loss_after_the_lines_that_were_kept() {
    let queue = Queue::default();
    for i in 0..LINES_MAX + 7 {
        queue.push(line(&i.to_string()));
    }
    let sink = Scripted { lines: Mutex::default(), each: |_| {} };
    thread::scope(|scope| {
        scope.spawn(|| queue.write_all(&sink, || true));
        assert!(queue.drained(Duration::from_secs(60)));
        let lines = std::mem::take(&mut *sink.lines.lock().unwrap());
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines.last().unwrap(), "7 log lines dropped: the output is too slow");
        end(&queue, &sink);
    });
}

#[test]
fn a_slow_output_does_not_hold_the_caller() {
    let queue = Queue::default();
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let sink = Scripted {
        lines: Mutex::default(),
        each: move |at| {
            if at == 0 {
                let _ = held.lock().unwrap().recv();
            }
        },
    };
    thread::scope(|scope| {
        scope.spawn(|| queue.write_all(&sink, || true));
        for i in 0..3 * LINES_MAX {
            queue.push(line(&i.to_string()));
        }
        assert!(!queue.drained(Duration::from_millis(1)));
        let_go.send(()).unwrap();
        assert!(queue.drained(Duration::from_secs(60)));
        let lines = std::mem::take(&mut *sink.lines.lock().unwrap());
        assert!(lines.len() >= LINES_MAX && lines.len() <= 2 * LINES_MAX + 2);
        assert!(lines.iter().any(|line| line.contains("log lines dropped")));
        end(&queue, &sink);
    });
}

#[test]
fn a_failing_output_is_tried_again_and_a_closed_one_is_not() {
    let queue = Queue::default();
    let sink = Scripted { lines: Mutex::default(), each: |_| panic!("disk full") };
    let failures = AtomicUsize::new(0);
    for i in 0..5 {
        queue.push(line(&i.to_string()));
    }
    let closed = || failures.fetch_add(1, Ordering::Relaxed) == 2;
    queue.write_all(&sink, closed);
    // Two failures were survived, the third found the output closed.
    assert_eq!(failures.load(Ordering::Relaxed), 3);
    assert_eq!(queue.lock().writer, Writer::Gone);
    queue.push(line("unheard"));
    assert!(queue.lock().lines.is_empty());
    assert!(!queue.drained(Duration::from_secs(60)), "returns at once");
}

/// Lets the writer of a test end: it does so when a print fails and `closed`.
fn end<F: Fn(usize) + Send + Sync>(queue: &Queue, sink: &Scripted<F>) {
    // A poisoned sink panics in the writer, as a broken pipe would.
    let poison = || {
        let _guard = sink.lines.lock().unwrap();
        panic!("the output is closed");
    };
    assert!(panic::catch_unwind(AssertUnwindSafe(poison)).is_err());
    queue.push(line("last"));
}
