use super::*;
use crate::config::PerAddress;
use crate::http::Networks;

fn config(connections_max: Option<u32>, rate_max: Option<u32>) -> Config {
    let per_address = PerAddress { connections_max, rate_max, ..PerAddress::default() };
    Config { per_address, connections_max: 100, ..Config::default() }
}

fn peer(ip: &str) -> Peer {
    Peer::Tcp((ip.parse::<IpAddr>().unwrap(), 1).into())
}

fn at(millis: u64) -> Tick {
    Tick::from_micros(millis * 1000)
}

#[test]
fn without_limits_nobody_is_counted() {
    let mut visitors = Visitors::default();
    for _ in 0..1000 {
        assert_eq!(visitors.arrive(peer("192.0.2.1"), &config(None, None), at(0)), Ok(false));
    }
    assert_eq!(visitors.len(), 0);
}

#[test]
fn an_address_has_so_many_places() {
    let config = config(Some(2), None);
    let mut visitors = Visitors::default();
    let mut come = |ip: &str| visitors.arrive(peer(ip), &config, at(0)).map_err(|it| it.why);
    // Of IPv6 a /64 is one, and IPv4 is IPv4 however it is written.
    for group in [
        ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"],
        ["2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::2"],
        ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1::1"],
        ["192.0.2.2", "192.0.2.2", "192.0.2.2"],
    ] {
        assert_eq!(come(group[0]), Ok(true));
        assert_eq!(come(group[1]), Ok(true));
        assert_eq!(come(group[2]), Err(TurnedAway::Connections), "{group:?}");
    }
    visitors.leave(peer("192.0.2.1"));
    assert_eq!(visitors.arrive(peer("192.0.2.1"), &config, at(0)), Ok(true));
    assert!(visitors.arrive(peer("192.0.2.1"), &config, at(0)).is_err());
    assert_eq!(visitors.arrive(Peer::Unix, &config, at(0)), Ok(false));
}

#[test]
fn who_is_exempt_is_not_counted() {
    let mut config = config(Some(0), None);
    config.per_address.exempt = Networks::parse(["10.0.0.0/8"]).unwrap();
    config.trusted = Networks::parse(["192.0.2.9"]).unwrap();
    let mut visitors = Visitors::default();
    for (ip, is) in [("10.1.1.1", true), ("192.0.2.9", true), ("192.0.2.8", false)] {
        assert_eq!(visitors.arrive(peer(ip), &config, at(0)) == Ok(false), is, "{ip}");
    }
}

#[test]
fn a_rate_is_kept_over_any_second() {
    for rate in [1, 3, 7, 1000] {
        let config = config(None, Some(rate));
        let mut visitors = Visitors::default();
        let mut came = Vec::new();
        for millis in 0..5000 {
            for _ in 0..3 {
                if visitors.arrive(peer("192.0.2.1"), &config, at(millis)).is_ok() {
                    visitors.leave(peer("192.0.2.1"));
                    came.push(millis);
                }
            }
        }
        // A second's number at once, and then as many in each further second.
        let expected = 6 * rate as usize;
        assert!(came.len().abs_diff(expected) <= 1 + expected / 100, "{} at {rate}", came.len());
        assert!(visitors.arrive(peer("192.0.2.2"), &config, at(4999)).is_ok());
    }
}

#[test]
fn an_address_is_complained_of_once_in_a_while() {
    let config = config(Some(1), None);
    let mut visitors = Visitors::default();
    visitors.arrive(peer("192.0.2.1"), &config, at(0)).unwrap();
    let mut loud =
        |millis| visitors.arrive(peer("192.0.2.1"), &config, at(millis)).unwrap_err().loud;
    assert_eq!([0, 1, 59_999, 60_000, 60_001].map(&mut loud), [true, false, false, true, false]);
}

#[test]
fn the_table_has_a_bound_and_forgets_strangers() {
    let config = config(Some(5), Some(5));
    let mut visitors = Visitors::default();
    let address = |n: u32| Peer::Tcp((std::net::Ipv4Addr::from_bits(n), 1).into());
    for n in 0..20_000 {
        assert_eq!(visitors.arrive(address(n), &config, at(0)), Ok(true));
        if n >= 50 {
            visitors.leave(address(n));
        }
    }
    let bound = 100 + REFUSALS_MAX + GONE_MAX;
    assert_eq!((visitors.len(), visitors.places.len()), (bound, bound));
    // Those who stayed were not forgotten.
    for n in 0..50 {
        for _ in 0..4 {
            assert_eq!(visitors.arrive(address(n), &config, at(9000)), Ok(true));
        }
        assert!(visitors.arrive(address(n), &config, at(9000)).is_err());
    }
    for n in 0..50 {
        (0..5).for_each(|_| visitors.leave(address(n)));
    }
    for _ in 0..bound {
        visitors.arrive(address(1), &config, at(100_000)).ok();
    }
    assert!(visitors.len() < 10, "{} are left", visitors.len());
}
