//! Nanoseconds per lookup on the 130 routes of a well-known web API, beside
//! `matchit` in the same run. The smallest of many rounds counts: the machine
//! adds time, never takes some away.
//!
//! `onepoll` does more in its figure: it matches the method as well and copies
//! the decoded params out of the path. A table of 1,300 routes (ten copies under
//! different names) shows that the cost doesn't grow with their number.

#![forbid(unsafe_code)]

use onepoll::http::{Method, Params};
use onepoll::route::{Lookup, Table};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds of each case; cases take turns, so that a slow spell hits all alike.
/// The command line may say another number, and a part of the case's name:
/// `cargo bench --bench route -- 10 matchit`, for tools that count instructions.
const ROUNDS: usize = 400;
/// Passes over all paths in a round.
const PASSES: usize = 20;

type Case<'a> = (&'static str, Box<dyn FnMut(&str) + 'a>);

fn main() {
    let paths: Vec<String> = ROUTES.iter().map(|route| route.replace(['{', '}'], "")).collect();
    let table = table(1);
    let large = self::table(10);
    let mut matchit = matchit::Router::new();
    for (i, route) in ROUTES.iter().enumerate() {
        matchit.insert(*route, i).expect("valid");
    }
    let mut params = Params::new();
    let mut params_large = Params::new();
    let mut params_post = Params::new();
    let mut cases: Vec<Case<'_>> = vec![
        ("matchit", Box::new(|path| drop(black_box(matchit.at(path).expect("found"))))),
        ("onepoll: 130 routes", Box::new(|path| found(&table, path, &mut params))),
        ("onepoll, 1300 routes", Box::new(|path| found(&large, path, &mut params_large))),
        (
            "onepoll, 405",
            Box::new(|path| {
                let lookup = table.lookup(&Method::POST, path, &mut params_post);
                assert!(matches!(black_box(lookup), Lookup::MethodNotAllowed(_)));
            }),
        ),
    ];
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    let wanted = std::env::args().skip(1).find(|arg| arg.starts_with(char::is_alphabetic));
    cases.retain(|(name, _)| wanted.as_ref().is_none_or(|wanted| name.starts_with(wanted)));
    let mut best = vec![Duration::MAX; cases.len()];
    for _ in 0..rounds {
        for ((_, run), best) in cases.iter_mut().zip(&mut best) {
            let start = Instant::now();
            for _ in 0..PASSES {
                paths.iter().for_each(|path| run(black_box(path)));
            }
            *best = start.elapsed().min(*best);
        }
    }
    for ((name, _), best) in cases.iter().zip(best) {
        let lookups = (PASSES * paths.len()) as f64;
        println!("{name:24} {:6.1} ns per lookup", best.as_nanos() as f64 / lookups);
    }
}

fn found(table: &Table<usize>, path: &str, params: &mut Params) {
    let lookup = table.lookup(&Method::GET, path, params);
    assert!(matches!(lookup, Lookup::Found { .. }), "{path}");
    black_box((lookup, &params));
}

fn table(copies: usize) -> Table<usize> {
    let mut table = Table::new();
    for copy in 0..copies {
        for (i, route) in ROUTES.iter().enumerate() {
            let route = if copy == 0 { (*route).to_owned() } else { format!("/{copy}{route}") };
            table.insert(Some(Method::GET), &route, i).expect("valid");
        }
    }
    table
}

#[rustfmt::skip]
const ROUTES: [&str; 130] = [
    "/authorizations",
    "/authorizations/{p1}",
    "/applications/{p1}/tokens/{p2}",
    "/events",
    "/repos/{p1}/{p2}/events",
    "/networks/{p1}/{p2}/events",
    "/orgs/{p1}/events",
    "/users/{p1}/received_events",
    "/users/{p1}/received_events/public",
    "/users/{p1}/events",
    "/users/{p1}/events/public",
    "/users/{p1}/events/orgs/{p2}",
    "/feeds",
    "/notifications",
    "/repos/{p1}/{p2}/notifications",
    "/notifications/threads/{p1}",
    "/notifications/threads/{p1}/subscription",
    "/repos/{p1}/{p2}/stargazers",
    "/users/{p1}/starred",
    "/user/starred",
    "/user/starred/{p1}/{p2}",
    "/repos/{p1}/{p2}/subscribers",
    "/users/{p1}/subscriptions",
    "/user/subscriptions",
    "/repos/{p1}/{p2}/subscription",
    "/user/subscriptions/{p1}/{p2}",
    "/users/{p1}/gists",
    "/gists",
    "/gists/{p1}",
    "/gists/{p1}/star",
    "/repos/{p1}/{p2}/git/blobs/{p3}",
    "/repos/{p1}/{p2}/git/commits/{p3}",
    "/repos/{p1}/{p2}/git/refs",
    "/repos/{p1}/{p2}/git/tags/{p3}",
    "/repos/{p1}/{p2}/git/trees/{p3}",
    "/issues",
    "/user/issues",
    "/orgs/{p1}/issues",
    "/repos/{p1}/{p2}/issues",
    "/repos/{p1}/{p2}/issues/{p3}",
    "/repos/{p1}/{p2}/assignees",
    "/repos/{p1}/{p2}/assignees/{p3}",
    "/repos/{p1}/{p2}/issues/{p3}/comments",
    "/repos/{p1}/{p2}/issues/{p3}/events",
    "/repos/{p1}/{p2}/labels",
    "/repos/{p1}/{p2}/labels/{p3}",
    "/repos/{p1}/{p2}/issues/{p3}/labels",
    "/repos/{p1}/{p2}/milestones/{p3}/labels",
    "/repos/{p1}/{p2}/milestones/",
    "/repos/{p1}/{p2}/milestones/{p3}",
    "/emojis",
    "/gitignore/templates",
    "/gitignore/templates/{p1}",
    "/meta",
    "/rate_limit",
    "/users/{p1}/orgs",
    "/user/orgs",
    "/orgs/{p1}",
    "/orgs/{p1}/members",
    "/orgs/{p1}/members/{p2}",
    "/orgs/{p1}/public_members",
    "/orgs/{p1}/public_members/{p2}",
    "/orgs/{p1}/teams",
    "/teams/{p1}",
    "/teams/{p1}/members",
    "/teams/{p1}/members/{p2}",
    "/teams/{p1}/repos",
    "/teams/{p1}/repos/{p2}/{p3}",
    "/user/teams",
    "/repos/{p1}/{p2}/pulls",
    "/repos/{p1}/{p2}/pulls/{p3}",
    "/repos/{p1}/{p2}/pulls/{p3}/commits",
    "/repos/{p1}/{p2}/pulls/{p3}/files",
    "/repos/{p1}/{p2}/pulls/{p3}/merge",
    "/repos/{p1}/{p2}/pulls/{p3}/comments",
    "/user/repos",
    "/users/{p1}/repos",
    "/orgs/{p1}/repos",
    "/repositories",
    "/repos/{p1}/{p2}",
    "/repos/{p1}/{p2}/contributors",
    "/repos/{p1}/{p2}/languages",
    "/repos/{p1}/{p2}/teams",
    "/repos/{p1}/{p2}/tags",
    "/repos/{p1}/{p2}/branches",
    "/repos/{p1}/{p2}/branches/{p3}",
    "/repos/{p1}/{p2}/collaborators",
    "/repos/{p1}/{p2}/collaborators/{p3}",
    "/repos/{p1}/{p2}/comments",
    "/repos/{p1}/{p2}/commits/{p3}/comments",
    "/repos/{p1}/{p2}/commits",
    "/repos/{p1}/{p2}/commits/{p3}",
    "/repos/{p1}/{p2}/readme",
    "/repos/{p1}/{p2}/keys",
    "/repos/{p1}/{p2}/keys/{p3}",
    "/repos/{p1}/{p2}/downloads",
    "/repos/{p1}/{p2}/downloads/{p3}",
    "/repos/{p1}/{p2}/forks",
    "/repos/{p1}/{p2}/hooks",
    "/repos/{p1}/{p2}/hooks/{p3}",
    "/repos/{p1}/{p2}/releases",
    "/repos/{p1}/{p2}/releases/{p3}",
    "/repos/{p1}/{p2}/releases/{p3}/assets",
    "/repos/{p1}/{p2}/stats/contributors",
    "/repos/{p1}/{p2}/stats/commit_activity",
    "/repos/{p1}/{p2}/stats/code_frequency",
    "/repos/{p1}/{p2}/stats/participation",
    "/repos/{p1}/{p2}/stats/punch_card",
    "/repos/{p1}/{p2}/statuses/{p3}",
    "/search/repositories",
    "/search/code",
    "/search/issues",
    "/search/users",
    "/legacy/issues/search/{p1}/{p2}/{p3}/{p4}",
    "/legacy/repos/search/{p1}",
    "/legacy/user/search/{p1}",
    "/legacy/user/email/{p1}",
    "/users/{p1}",
    "/user",
    "/users",
    "/user/emails",
    "/users/{p1}/followers",
    "/user/followers",
    "/users/{p1}/following",
    "/user/following",
    "/user/following/{p1}",
    "/users/{p1}/following/{p2}",
    "/users/{p1}/keys",
    "/user/keys",
    "/user/keys/{p1}",
];
