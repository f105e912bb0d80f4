//! A plan made ready: addresses found, requests written out, choices prepared.

use super::plan::{Limit, Load, Plan};
use super::response::Asked;
use super::socket::Address;
use super::url::{Place, Url};
use crate::error::Error;
use std::io;
use std::net::ToSocketAddrs;

/// What all threads share, and none changes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) plan: Plan,
    pub(crate) asked: Asked,
    pub(crate) targets: Vec<Target>,
    pub(crate) origins: Vec<Origin>,
}

/// One URL.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) request: Vec<u8>,
    pub(crate) origin: u16,
    weight: u32,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: Address,
    weight: u32,
    /// As the user wrote it.
    pub(crate) name: String,
}

impl Job {
    /// # Errors
    /// A plan that makes no sense, or a name without an address.
    pub(crate) fn new(plan: &Plan) -> Result<Job, Error> {
        plan.check()?;
        let mut places: Vec<Place> = Vec::new();
        let mut job = Job {
            plan: plan.clone(),
            asked: match plan.method_name() {
                "HEAD" => Asked::Head,
                "CONNECT" => Asked::Connect,
                _ => Asked::Other,
            },
            targets: Vec::new(),
            origins: Vec::new(),
        };
        for url in &plan.urls {
            let found = places.iter().position(|place| *place == url.place);
            let at = match found {
                Some(at) => at,
                None => {
                    places.push(url.place.clone());
                    job.origins.push(Origin {
                        address: look_up(&url.place)?,
                        weight: 0,
                        name: match &url.place {
                            Place::Tcp(..) => url.authority.clone(),
                            Place::Unix(path) => format!("unix:{}", path.display()),
                        },
                    });
                    places.len() - 1
                }
            };
            if let Some(origin) = job.origins.get_mut(at) {
                origin.weight += url.weight;
            }
            let origin = u16::try_from(at).unwrap_or(u16::MAX);
            job.targets.push(Target { request: request(plan, url), origin, weight: url.weight });
        }
        if job.origins.len() > plan.connections / plan.threads {
            let why = "must be at least one for each server and thread".to_owned();
            return Err(Error::Config { field: "connections", why });
        }
        Ok(job)
    }

    /// How many requests thread `index` has to do, if they are counted.
    pub(crate) fn count_of(&self, index: usize) -> Option<u64> {
        match self.plan.limit {
            Limit::Time(_) => None,
            Limit::Count(count) => Some(share(count, index, self.plan.threads)),
        }
    }

    /// The servers of thread `index`'s connections, by their weight.
    pub(crate) fn connections_of(&self, index: usize) -> Vec<u16> {
        let count = share(self.plan.connections as u64, index, self.plan.threads) as usize;
        let mut choice = Choice::new(self.origins.iter().map(|origin| origin.weight));
        let mut list: Vec<u16> = (0..count).map(|_| choice.next()).collect();
        // Each has one at least; there are enough, see above.
        for origin in 0..self.origins.len().min(list.len()) {
            let number = u16::try_from(origin).unwrap_or(u16::MAX);
            if !list.contains(&number)
                && let Some(place) = list.iter_mut().rev().nth(origin)
            {
                *place = number;
            }
        }
        list
    }

    /// The targets to choose from: of one server, or (in an open loop) of all.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let all = matches!(self.plan.load, Load::Open { .. });
        let of = |origin: Option<u16>| {
            let there = move |target: &Target| origin.is_none_or(|it| it == target.origin);
            Choice::new(self.targets.iter().map(|it| if there(it) { it.weight } else { 0 }))
        };
        match all {
            true => vec![of(None)],
            false => (0..self.origins.len()).map(|at| of(u16::try_from(at).ok())).collect(),
        }
    }
}

fn share(count: u64, index: usize, of: usize) -> u64 {
    let (index, of) = (index as u64, of as u64);
    count / of + u64::from(index < count % of)
}

/// The bytes of a request, head and content.
fn request(plan: &Plan, url: &Url) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", plan.method_name(), url.target);
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    if !plan.fields.iter().any(|(name, _)| is(name, "host")) {
        head += &format!("Host: {}\r\n", url.authority);
    }
    for (name, value) in &plan.fields {
        head += &format!("{name}: {value}\r\n");
    }
    if plan.connect_each && !plan.fields.iter().any(|(name, _)| is(name, "connection")) {
        head += "Connection: close\r\n";
    }
    let expects = matches!(plan.method_name(), "POST" | "PUT" | "PATCH");
    if expects || !plan.body.is_empty() {
        head += &format!("Content-Length: {}\r\n", plan.body.len());
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&plan.body);
    bytes
}

fn look_up(place: &Place) -> Result<Address, Error> {
    let (host, port) = match place {
        Place::Unix(path) => return Ok(Address::Unix(path.clone())),
        Place::Tcp(host, port) => (host.as_str(), *port),
    };
    let failed = |source| Error::Connect { address: format!("{host}:{port}"), source };
    let found = (host, port).to_socket_addrs().map_err(failed)?;
    let address = found.min_by_key(std::net::SocketAddr::is_ipv6);
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    Ok(Address::Tcp(address.ok_or_else(|| failed(none()))?))
}

/// Chooses by weight, evenly mixed: of 2 and 1 it is `a b a a b a ..`.
///
/// Each choice adds all weights to what everybody is due, and takes the sum from
/// who is due most.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Who can be chosen, their weights, and what each is due.
    list: Vec<(u16, i64, i64)>,
    sum: i64,
}

impl Choice {
    /// Those with weight 0 are never chosen.
    fn new(weights: impl Iterator<Item = u32>) -> Choice {
        let list: Vec<(u16, i64, i64)> = (0u16..)
            .zip(weights)
            .filter(|(_, weight)| *weight > 0)
            .map(|(at, weight)| (at, i64::from(weight), 0))
            .collect();
        let sum = list.iter().map(|(_, weight, _)| weight).sum();
        Choice { list, sum }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u16 {
        if let [(only, ..)] = self.list.as_slice() {
            return *only; // the usual case
        }
        for (_, weight, due) in &mut self.list {
            *due += *weight;
        }
        let sum = self.sum;
        let most = self.list.iter_mut().rev().max_by_key(|(_, _, due)| *due);
        most.map_or(0, |(at, _, due)| {
            *due -= sum;
            *at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_mixed_by_weight() {
        let take = |weights: &[u32], count: usize| {
            let mut choice = Choice::new(weights.iter().copied());
            (0..count).map(|_| choice.next()).collect::<Vec<u16>>()
        };
        assert_eq!(take(&[5], 3), [0, 0, 0]);
        assert_eq!(take(&[2, 1], 6), [0, 1, 0, 0, 1, 0]);
        assert_eq!(take(&[0, 1, 1], 4), [1, 2, 1, 2]);
        let many = take(&[7, 2, 1], 1000);
        let count = |of| many.iter().filter(|at| **at == of).count();
        assert_eq!((count(0), count(1), count(2)), (700, 200, 100));
    }

    #[test]
    fn shares_add_up() {
        for (count, of) in [(10, 3), (1, 4), (100, 7), (0, 2)] {
            let sum: u64 = (0..of).map(|index| share(count, index, of)).sum();
            assert_eq!(sum, count);
        }
    }

    #[test]
    fn requests_are_written_out() {
        let plan = Plan::new("http://a:1/x").unwrap();
        let bytes = |plan: &Plan| String::from_utf8(request(plan, &plan.urls[0])).unwrap();
        assert_eq!(bytes(&plan), "GET /x HTTP/1.1\r\nHost: a:1\r\n\r\n");
        let plan = plan.connect_each().header("host", "b").header("X", "y").body("abc");
        assert_eq!(
            bytes(&plan),
            "POST /x HTTP/1.1\r\nhost: b\r\nX: y\r\nConnection: close\r\n\
             Content-Length: 3\r\n\r\nabc"
        );
    }

    #[test]
    fn each_server_has_connections() {
        let plan = Plan::new("http://127.0.0.1:1/*100").unwrap();
        let plan = plan.and("http://127.0.0.1:2/").unwrap().connections(4);
        let job = Job::new(&plan).unwrap();
        assert_eq!(job.connections_of(0).iter().filter(|origin| **origin == 1).count(), 1);
        assert!(Job::new(&plan.connections(1)).is_err());
    }
}
