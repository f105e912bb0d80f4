//! What the client would rather have: codings and media types (RFC 9110 section 12.5).
//!
//! ```text
//!   Accept-Encoding: gzip;q=0.5, br, *;q=0      Codings { br 1000, gzip 500, others 0 }
//!                                                  |  best(those that we have)
//!                                                  v
//!                                                 Coding
//! ```
//!
//! A wish that can't be read is none: the client gets what every client
//! understands. Weights are kept in thousandths.

use super::Headers;
use super::chars;

/// A content coding that we know (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// The content as it is.
    Identity,
    /// `gzip` (RFC 1952); `x-gzip` is the same.
    Gzip,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `br`, Brotli (RFC 7932).
    Br,
}

impl Coding {
    /// Those that make content shorter, the one that usually does best first.
    pub const SMALLEST_FIRST: [Coding; 3] = [Coding::Br, Coding::Zstd, Coding::Gzip];

    /// As in `Content-Encoding`, where [`Identity`](Coding::Identity) is never named.
    pub const fn as_str(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
            Coding::Br => "br",
        }
    }

    fn named(name: &[u8]) -> Option<Coding> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        Some(match name {
            _ if is("gzip") || is("x-gzip") => Coding::Gzip,
            _ if is("br") => Coding::Br,
            _ if is("zstd") => Coding::Zstd,
            _ if is("identity") => Coding::Identity,
            _ => return None,
        })
    }
}

/// How much the client wants each coding, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codings {
    /// By [`Coding`]; `None` if it is not named.
    named: [Option<u16>; 4],
    /// Those that are not named: the weight of `*`.
    others: Option<u16>,
}

impl Codings {
    /// The content as it is and nothing else.
    pub const IDENTITY: Codings = Codings { named: [None; 4], others: None };

    /// Reads all lines of `Accept-Encoding`. Without the field any coding would
    /// be acceptable (section 12.5.3), but who doesn't ask for one may not know
    /// it: then, and if a line is malformed, it is
    /// [`IDENTITY`](Codings::IDENTITY). Of a coding that is named twice, the
    /// first weight counts.
    ///
    /// ```
    /// use onepoll::http::{Headers, accept::{Coding, Codings}};
    /// let mut headers = Headers::new();
    /// headers.add("Accept-Encoding", "gzip, br;q=0.8")?;
    /// let codings = Codings::of(&headers);
    /// assert_eq!(codings.best(&[Coding::Br, Coding::Gzip]), Coding::Gzip);
    /// assert_eq!(codings.best(&[Coding::Br]), Coding::Br);
    /// assert_eq!(codings.best(&[Coding::Zstd]), Coding::Identity);
    /// # Ok::<(), onepoll::http::InvalidField>(())
    /// ```
    pub fn of(headers: &Headers) -> Codings {
        let mut codings = Codings::IDENTITY;
        for member in headers.list("accept-encoding") {
            let (name, weight) = match member.iter().position(|&b| b == b';') {
                None => (member, Some(MOST)),
                Some(at) => {
                    let (name, rest) = member.split_at(at);
                    (chars::trim(name), rest.get(1..).and_then(only_weight))
                }
            };
            let Some(weight) = weight.filter(|_| chars::is_token(name)) else {
                return Codings::IDENTITY;
            };
            let place = match Coding::named(name) {
                Some(coding) => codings.named.get_mut(coding as usize),
                None if name == b"*" => Some(&mut codings.others),
                None => None,
            };
            if let Some(place) = place {
                place.get_or_insert(weight);
            }
        }
        codings
    }

    /// The weight of a coding, 0 if it is not acceptable. The content as it is
    /// is acceptable unless it is ruled out, but nobody waits for it.
    pub fn weight(&self, coding: Coding) -> u16 {
        let named = self.named.get(coding as usize).copied().flatten();
        let unnamed = if coding == Coding::Identity { LEAST } else { 0 };
        named.or(self.others).unwrap_or(unnamed)
    }

    /// The best of these, or [`Identity`](Coding::Identity), which there always
    /// is: it is the answer even if the client rules it out and there is nothing
    /// else, as the section allows. Of equal weights the smaller coding wins.
    pub fn best(&self, available: &[Coding]) -> Coding {
        let weighed = Coding::SMALLEST_FIRST
            .into_iter()
            .filter(|coding| available.contains(coding))
            .map(|coding| (self.weight(coding), coding))
            .filter(|(weight, _)| *weight > 0);
        // `max_by_key` takes the last of equals.
        let best = weighed.rev().max_by_key(|(weight, _)| *weight);
        best.filter(|(weight, _)| *weight >= self.weight(Coding::Identity))
            .map_or(Coding::Identity, |(_, coding)| coding)
    }

    /// Whether the content as it is would be as good as any other: a question
    /// less for the disk.
    pub fn wants_identity(&self) -> bool {
        self.best(&Coding::SMALLEST_FIRST) == Coding::Identity
    }
}

/// Which of some media types the client would rather have, by `Accept`: the
/// place of one in `offers`, or `None` if none is acceptable.
///
/// Each offer has the weight of the most exact range that holds it (section
/// 12.5.1). Of equal weights wins what is named more exactly, then what is
/// offered first: programs that say `application/json, */*` mean the former.
/// Parameters of a range are not looked at. Without the field, or if a line is
/// malformed, it is the first offer.
///
/// ```
/// use onepoll::http::{Headers, accept::media_type};
/// let mut headers = Headers::new();
/// headers.add("Accept", "application/json")?;
/// assert_eq!(media_type(&headers, &["text/html", "application/json"]), Some(1));
/// assert_eq!(media_type(&Headers::new(), &["text/html", "application/json"]), Some(0));
/// # Ok::<(), onepoll::http::InvalidField>(())
/// ```
pub fn media_type(headers: &Headers, offers: &[&str]) -> Option<usize> {
    if offers.is_empty() {
        return None;
    }
    let mut best: Option<(u16, Exact, usize)> = None;
    let mut is_named = false;
    for (place, offer) in offers.iter().enumerate() {
        let mut match_of: Option<(Exact, u16)> = None;
        for range in headers.all("accept").flat_map(members) {
            is_named = true;
            let Some((name, weight)) = media_range(range) else { return Some(0) };
            let Some(exact) = holds(name, offer.as_bytes()) else { continue };
            match_of = match_of.max(Some((exact, weight)));
        }
        let Some((exact, weight)) = match_of.filter(|(_, weight)| *weight > 0) else { continue };
        if best.is_none_or(|(most, nearest, _)| (weight, exact) > (most, nearest)) {
            best = Some((weight, exact, place));
        }
    }
    if is_named { best.map(|(_, _, place)| place) } else { Some(0) }
}

/// How exactly a range names a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exact {
    Any,
    Kind,
    Named,
}

/// A media range and its weight; `None` if it is none.
fn media_range(range: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = split(range, b';').map(chars::trim);
    let name = parts.next()?;
    let slash = name.iter().position(|&b| b == b'/')?;
    let (kind, subtype) = (name.get(..slash)?, name.get(slash + 1..)?);
    if !chars::is_token(kind) || !chars::is_token(subtype) || (kind == b"*" && subtype != b"*") {
        return None;
    }
    let mut weight = MOST;
    for parameter in parts {
        if let Some(found) = strip_q(parameter) {
            weight = quality(found)?;
        }
    }
    Some((name, weight))
}

fn holds(range: &[u8], offer: &[u8]) -> Option<Exact> {
    if range == b"*/*" {
        return Some(Exact::Any);
    }
    if range.eq_ignore_ascii_case(offer) {
        return Some(Exact::Named);
    }
    let kind = range.strip_suffix(b"*")?;
    let same = offer.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    same.then_some(Exact::Kind)
}

/// The members of a list whose parameters may be quoted strings.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(value, b',').map(chars::trim).filter(|member| !member.is_empty())
}

/// Splits where the byte stands outside of quotes (section 5.6.4).
fn split(text: &[u8], at: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&b| {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        b == at && !quoted
    })
}

/// A weight and nothing else, the semicolon gone: ` q=0.5`.
fn only_weight(text: &[u8]) -> Option<u16> {
    quality(strip_q(chars::trim(text))?)
}

fn strip_q(parameter: &[u8]) -> Option<&[u8]> {
    match parameter {
        [b'q' | b'Q', b'=', value @ ..] => Some(value),
        _ => None,
    }
}

/// `qvalue` (section 12.4.2): 0 to 1 with three decimals at most.
fn quality(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut sum = match whole {
        b'0' => 0,
        b'1' => MOST,
        _ => return None,
    };
    let mut unit = MOST / 10;
    for digit in decimals {
        if !digit.is_ascii_digit() {
            return None;
        }
        sum += u16::from(digit - b'0') * unit;
        unit /= 10;
    }
    (sum <= MOST).then_some(sum)
}

/// The weight of what is named without one.
const MOST: u16 = 1000;
/// The weight of the content as it is, unnamed: less than all that is wanted.
const LEAST: u16 = 1;

#[cfg(test)]
mod tests;
