//! What was counted of requests: histograms by route, method and status.
//!
//! A request costs one look-up by the text of its route, and a few comparisons;
//! memory is taken for what was never seen before, up to a bound.

use super::text::{Text, seconds};
use crate::http::{Method, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// Methods that are told apart (RFC 9110 section 9, RFC 5789).
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "_OTHER"];
const OTHER: &str = "_OTHER";
/// Bounds of sizes, in bytes.
const SIZES: [u64; 7] = [256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20];
/// A status of those that are counted together.
const ANY: u16 = u16::MAX;

/// What a series is about, besides its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The place in [`METHODS`].
    method: u8,
    /// 0: there was no reply.
    status: u16,
}

impl Key {
    pub(super) fn new(method: &Method, status: u16) -> Key {
        let name = method.as_str();
        let place = METHODS.iter().position(|known| *known == name);
        Key { method: place.unwrap_or(METHODS.len() - 1) as u8, status }
    }

    fn method(self) -> &'static str {
        METHODS.get(usize::from(self.method)).copied().unwrap_or(OTHER)
    }

    fn status(self) -> String {
        match self.status {
            0 => String::new(),
            ANY => OTHER.to_owned(),
            code => code.to_string(),
        }
    }
}

/// Everything that was counted.
#[derive(Clone, Debug)]
pub(super) struct Book {
    /// Bounds of durations, in nanoseconds.
    bounds: Vec<u64>,
    /// By route, then in the order in which they were seen.
    routes: BTreeMap<Box<str>, Vec<(Key, Histogram)>>,
    /// How many series there are in `routes`, and how many there may be.
    series: usize,
    series_max: usize,
    /// By method, for http and https.
    active: [[u64; 2]; METHODS.len()],
    received: Vec<(Key, Histogram)>,
    sent: Vec<(Key, Histogram)>,
}

#[derive(Clone, Debug)]
struct Histogram {
    /// One more than there are bounds.
    counts: Box<[u64]>,
    sum: u128,
}

impl Histogram {
    fn new(bounds: &[u64]) -> Histogram {
        Histogram { counts: vec![0; bounds.len() + 1].into(), sum: 0 }
    }

    fn add(&mut self, bounds: &[u64], value: u64) {
        let place = bounds.iter().take_while(|bound| **bound < value).count();
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += u128::from(value);
    }

    fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum += other.sum;
    }
}

impl Book {
    pub(super) fn new(bounds: &[Duration], series_max: usize) -> Book {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut bounds: Vec<u64> = bounds.iter().map(nanos).collect();
        bounds.sort_unstable();
        bounds.dedup();
        Book {
            bounds,
            routes: BTreeMap::new(),
            series: 0,
            series_max,
            active: [[0; 2]; METHODS.len()],
            received: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// How many series of durations there are.
    pub(super) fn len(&self) -> usize {
        self.series
    }

    /// A request has begun, or ended.
    pub(super) fn active(&mut self, request: &Request, begun: bool) {
        let method = usize::from(Key::new(request.method(), 0).method);
        let schemes = self.active.get_mut(method);
        if let Some(count) = schemes.and_then(|it| it.get_mut(usize::from(request.is_secure()))) {
            *count = if begun { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// A request took so long.
    pub(super) fn done(&mut self, route: &str, key: Key, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let known = self.routes.get_mut(route);
        if let Some((_, times)) = known.and_then(|list| list.iter_mut().find(|it| it.0 == key)) {
            return times.add(&self.bounds, nanos);
        }
        self.done_first(route, key, nanos);
    }

    #[cold]
    fn done_first(&mut self, route: &str, key: Key, nanos: u64) {
        let full = self.series >= self.series_max;
        let (route, key) = if full { (OTHER, Key { status: ANY, ..key }) } else { (route, key) };
        let list = self.routes.entry(route.into()).or_default();
        if let Some((_, times)) = list.iter_mut().find(|it| it.0 == key) {
            return times.add(&self.bounds, nanos);
        }
        let mut times = Histogram::new(&self.bounds);
        times.add(&self.bounds, nanos);
        list.push((key, times));
        self.series += 1;
    }

    /// A request's content had so many bytes.
    pub(super) fn received(&mut self, key: Key, size: u64) {
        add_size(&mut self.received, self.series_max, key, size);
    }

    /// A reply's content has so many bytes.
    pub(super) fn sent(&mut self, key: Key, size: u64) {
        add_size(&mut self.sent, self.series_max, key, size);
    }

    /// Adds what another has counted, with the same bounds.
    pub(super) fn add(&mut self, other: &Book) {
        if self.bounds != other.bounds {
            return;
        }
        for (route, list) in &other.routes {
            for (key, times) in list {
                self.add_times(route, *key, times);
            }
        }
        let counts = self.active.iter_mut().flatten().zip(other.active.iter().flatten());
        counts.for_each(|(count, more)| *count += more);
        for (mine, theirs) in [(&mut self.received, &other.received), (&mut self.sent, &other.sent)]
        {
            for (key, sizes) in theirs {
                match mine.iter_mut().find(|it| it.0 == *key) {
                    Some((_, own)) => own.merge(sizes),
                    None => mine.push((*key, sizes.clone())),
                }
            }
        }
    }

    /// All loops together may have more series than one: as many more as there are
    /// loops, in the worst case.
    fn add_times(&mut self, route: &str, key: Key, times: &Histogram) {
        let list = self.routes.entry(route.into()).or_default();
        match list.iter_mut().find(|it| it.0 == key) {
            Some((_, own)) => own.merge(times),
            None => {
                list.push((key, times.clone()));
                self.series += 1;
            }
        }
    }

    pub(super) fn write(&self, text: &mut Text) {
        let name = "http_server_request_duration_seconds";
        text.family(name, "histogram", "From a request's first byte to its reply's last.");
        let bounds: Vec<String> = self.bounds.iter().map(|ns| seconds(u128::from(*ns))).collect();
        for (route, list) in &self.routes {
            for (key, times) in list {
                let status = key.status();
                let labels = [
                    ("http_request_method", key.method()),
                    ("http_route", route),
                    ("http_response_status_code", &status),
                ];
                let counts = times.counts.iter().copied();
                text.histogram(name, &labels, &bounds, counts, seconds(times.sum));
            }
        }
        let name = "http_server_active_requests";
        text.family(name, "gauge", "Requests that have begun and not ended.");
        for (method, counts) in METHODS.iter().zip(&self.active) {
            for (scheme, count) in ["http", "https"].iter().zip(counts) {
                // A method that was never seen is not worth a line.
                if *count > 0 || *method == "GET" {
                    let labels = [("http_request_method", *method), ("url_scheme", *scheme)];
                    text.sample(name, "", &labels, count);
                }
            }
        }
        let name = "http_server_request_body_size_bytes";
        text.family(name, "histogram", "Content of requests, where its length is known.");
        write_sizes(text, name, &self.received);
        let name = "http_server_response_body_size_bytes";
        text.family(name, "histogram", "Content of replies, where its length is known.");
        write_sizes(text, name, &self.sent);
    }
}

fn add_size(list: &mut Vec<(Key, Histogram)>, max: usize, key: Key, size: u64) {
    if let Some((_, sizes)) = list.iter_mut().find(|it| it.0 == key) {
        return sizes.add(&SIZES, size);
    }
    let key = if list.len() < max { key } else { Key { status: ANY, ..key } };
    if let Some((_, sizes)) = list.iter_mut().find(|it| it.0 == key) {
        return sizes.add(&SIZES, size);
    }
    let mut sizes = Histogram::new(&SIZES);
    sizes.add(&SIZES, size);
    list.push((key, sizes));
}

fn write_sizes(text: &mut Text, name: &str, list: &[(Key, Histogram)]) {
    let bounds = SIZES.map(|size| size.to_string());
    for (key, sizes) in list {
        let status = key.status();
        let labels =
            [("http_request_method", key.method()), ("http_response_status_code", &*status)];
        text.histogram(name, &labels, &bounds, sizes.counts.iter().copied(), sizes.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded() {
        let mut book = Book::new(&[Duration::from_secs(1)], 5);
        for status in 100..999 {
            for method in [Method::GET, Method::POST] {
                let key = Key::new(&method, status);
                book.done(&format!("/{status}"), key, Duration::from_millis(1));
                book.sent(key, 1);
                book.received(key, 1);
            }
        }
        // Five, and one for each method of the rest.
        assert_eq!((book.len(), book.sent.len(), book.received.len()), (7, 7, 7));
        let count = |list: &[(Key, Histogram)]| {
            list.iter().flat_map(|(_, it)| it.counts.iter()).sum::<u64>()
        };
        let all: u64 = book.routes.values().map(|list| count(list)).sum();
        assert_eq!((all, count(&book.sent), count(&book.received)), (1798, 1798, 1798));
    }

    #[test]
    fn books_are_added_up() {
        let mut books = [1, 2].map(|times| {
            let mut book = Book::new(&[Duration::from_secs(1)], 5);
            for (route, status) in [("/", 200), ("/", 404), ("/own", 200 + times as u16)] {
                for _ in 0..times {
                    let key = Key::new(&Method::GET, status);
                    book.done(route, key, Duration::from_millis(1));
                    book.sent(key, 7);
                }
            }
            book
        });
        let (sum, other) = books.split_at_mut(1);
        sum[0].add(&other[0]);
        let mut text = Text::default();
        sum[0].write(&mut text);
        let text = text.finish();
        let count = |route: &str, status: &str, value: &str| {
            let labels = format!("http_route=\"{route}\",http_response_status_code=\"{status}\"");
            let name = "http_server_request_duration_seconds_count{http_request_method=\"GET\"";
            assert!(text.contains(&format!("{name},{labels}}} {value}\n")), "{labels}\n{text}");
        };
        count("/", "200", "3");
        count("/", "404", "3");
        count("/own", "201", "1");
        count("/own", "202", "2");
        assert_eq!(sum[0].len(), 4);
    }

    #[test]
    fn values_on_a_bound_are_within_it() {
        let bounds = [10, 20];
        let mut histogram = Histogram::new(&bounds);
        for value in [0, 10, 11, 20, 21] {
            histogram.add(&bounds, value);
        }
        assert_eq!((&*histogram.counts, histogram.sum), (&[2, 2, 1][..], 62));
    }
}
