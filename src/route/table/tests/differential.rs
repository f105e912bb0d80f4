//! Random routes and paths, against a matcher that does just what the rules
//! say: look at every route, keep those that match, take the best one.

use super::*;
use crate::route::pattern::Shape;
use std::cmp::Ordering;

/// A small generator (xorshift64*); the seed is printed when a case fails.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, tail) = match first {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                (u8::from_str_radix(digits, 16).ok()?, tail.get(2..)?)
            }
            _ => (first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// What a pattern captures of a path, if it matches.
fn matches(pattern: &[Segment], path: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in pattern {
        let whole = rest?;
        let (text, tail) = match whole.split_once('/') {
            Some((text, tail)) => (text, Some(tail)),
            None => (whole, None),
        };
        rest = tail;
        match segment {
            Segment::Literal(literal) if literal == text => {}
            Segment::Literal(_) => return None,
            Segment::Capture { shape, .. } => {
                let inner = text.strip_prefix(&*shape.prefix)?.strip_suffix(&*shape.suffix)?;
                let value = decoded(inner).filter(|value| !value.is_empty())?;
                if shape.constraint.is_some() && !value.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                values.push(value);
            }
            Segment::Rest { .. } => {
                values.push(decoded(whole)?);
                rest = None;
            }
        }
    }
    rest.is_none().then_some(values)
}

/// Less is better: the first segment in which two patterns differ decides.
fn compare(one: &[Segment], other: &[Segment]) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => (0, 0, 0, false),
        Segment::Capture { shape: Shape { prefix, suffix, constraint }, .. } => {
            (1, -(prefix.len() as i32), -(suffix.len() as i32), constraint.is_none())
        }
        Segment::Rest { .. } => (2, 0, 0, false),
    };
    one.iter().map(rank).cmp(other.iter().map(rank))
}

type Naive = Vec<(Method, Vec<Segment>, usize)>;

/// The best route's number and values; or whether there are routes at all.
fn naive(routes: &Naive, method: &Method, path: &str) -> Result<(usize, Vec<String>), bool> {
    let matching = || routes.iter().filter_map(|(m, p, i)| Some((m, p, *i, matches(p, path)?)));
    let best = matching()
        .filter(|(m, ..)| *m == method || (*method == Method::HEAD && **m == Method::GET))
        // At one pattern, a HEAD route comes before the GET route.
        .min_by(|a, b| compare(a.1, b.1).then((a.0 != method).cmp(&(b.0 != method))));
    best.map(|(_, _, i, values)| (i, values)).ok_or_else(|| matching().next().is_some())
}

const PARTS: [&str; 12] = [
    "a",
    "b",
    "ab",
    "",
    "{x}",
    "{x}",
    "a{x}",
    "{x}b",
    "a{x}b",
    "longer-than-a-word",
    "12345678",
    "*rest",
];
const CONSTRAINED: &str = "{x:[0-9]+}";
const PATH_PARTS: [&str; 16] = [
    "a",
    "b",
    "ab",
    "aab",
    "",
    "c",
    "ac",
    "acb",
    "7",
    "a7",
    "longer-than-a-word",
    "12345678",
    "longer-than-a-worm",
    "%61b",
    "%c3%a9",
    "a%ff",
];

fn random_pattern(random: &mut Random) -> String {
    let mut pattern = String::new();
    for i in 0..1 + random.below(5) {
        let part = match random.below(13) {
            12 if cfg!(feature = "regex") => CONSTRAINED,
            n => PARTS[n % PARTS.len()],
        };
        pattern.push('/');
        pattern.push_str(&part.replace('x', &format!("x{i}")));
        if part == "*rest" {
            break;
        }
    }
    pattern
}

fn one_table(seed: u64) {
    let mut random = Random(seed);
    let mut table = Table::new();
    let mut routes: Naive = Vec::new();
    for i in 0..1 + random.below(40) {
        let pattern = random_pattern(&mut random);
        let method = Method::parse(random.pick(&["GET", "GET", "HEAD", "POST"]).as_bytes());
        let Ok(Pattern::Path(segments)) = Pattern::parse(&pattern) else { panic!("{pattern}") };
        let method = method.expect("a token");
        let same = |(m, p, _): &(Method, Vec<Segment>, usize)| {
            *m == method && p.len() == segments.len() && p.iter().zip(&segments).all(alike)
        };
        let conflict = routes.iter().any(same);
        let inserted = table.insert(Some(method.clone()), &pattern, i);
        assert_eq!(inserted.is_err(), conflict, "{pattern}, seed {seed:#x}");
        if !conflict {
            routes.push((method, segments, i));
        }
    }
    let mut params = Params::new();
    for _ in 0..200 {
        let path: String =
            (0..random.below(7)).map(|_| format!("/{}", random.pick(&PATH_PARTS))).collect();
        let method = random.pick(&["GET", "HEAD", "POST", "PUT"]);
        let method = Method::parse(method.as_bytes()).expect("a token");
        let found = match table.lookup(&method, &path, &mut params) {
            Lookup::Found { value, .. } => {
                Ok((*value, params.iter().map(|(_, value)| value.to_owned()).collect()))
            }
            Lookup::NotFound => Err(false),
            _ => Err(true),
        };
        let expected = naive(&routes, &method, &path);
        assert_eq!(found, expected, "{method} {path} in {table:#?}, seed {seed:#x}");
    }
}

/// The same but for names.
fn alike((one, other): (&Segment, &Segment)) -> bool {
    match (one, other) {
        (Segment::Capture { shape: one, .. }, Segment::Capture { shape: other, .. }) => {
            one == other
        }
        (Segment::Rest { .. }, Segment::Rest { .. }) => true,
        _ => one == other,
    }
}

#[test]
fn the_tree_agrees_with_a_linear_search() {
    for seed in 1..=400u64 {
        one_table(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
