use super::*;
use proptest::prelude::*;

/// A header of version 2 with that command and family.
fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend([command, family]);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x34, 0x01, 0xbb];

fn v6() -> Vec<u8> {
    let from: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let to: Ipv6Addr = "2001:db8::2".parse().unwrap();
    [&from.octets()[..], &to.octets(), &[0x12, 0x34, 0x01, 0xbb]].concat()
}

/// Fed whole, at every split, byte by byte and with a tail: the same.
#[track_caller]
fn expect(header: &[u8], expected: Result<Option<&str>, &'static str>) {
    let shown = header.escape_ascii();
    let client = |text: &str| text.parse::<SocketAddr>().unwrap();
    let whole = expected.map(|text| Some(Preamble { len: header.len(), client: text.map(client) }));
    assert_eq!(parse(header), whole, "{shown}");
    let tail = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
    for at in 0..header.len() {
        let part = parse(&header[..at]);
        match whole {
            Ok(_) => assert_eq!(part, Ok(None), "{at} bytes of {shown}"),
            // It may be known early, and stays so.
            Err(_) => assert!(matches!(part, Ok(None)) || part == whole, "{at} bytes of {shown}"),
        }
    }
    if whole.is_ok() {
        assert_eq!(parse(&tail), whole, "{shown} and what follows");
    }
}

#[test]
fn headers_of_version_1() {
    let good = [
        ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", Some("192.0.2.1:56324")),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 0 65535\r\n", Some("192.0.2.1:0")),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", Some("[2001:db8::1]:1")),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", Some("192.0.2.1:1")),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
             ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        ),
        ("PROXY UNKNOWN\r\n", None),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
             ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            None,
        ),
    ];
    for (header, client) in good {
        expect(header.as_bytes(), Ok(client));
    }
    assert_eq!(good[6].0.len(), LINE_MAX, "the longest there is");
    let unreadable = "a PROXY line that can't be read";
    let bad = [
        ("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", unreadable),
        ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", unreadable),
        ("PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n", unreadable),
        ("PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n", unreadable),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n", unreadable),
        ("PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n", unreadable),
        ("PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n", unreadable),
        ("PROXY UNKNOWN\n", "a PROXY line that ends without CR"),
        ("PROXY \r\n", unreadable),
        ("PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n", unreadable),
        ("PROXY\tTCP4 192.0.2.1 198.51.100.1 1 2\r\n", "no PROXY header"),
        ("POST / HTTP/1.1\r\n", "no PROXY header"),
        ("GET / HTTP/1.1\r\n", "no PROXY header"),
        ("\u{16}\u{3}\u{1}\u{2}", "no PROXY header"),
    ];
    for (header, why) in bad {
        expect(header.as_bytes(), Err(why));
    }
    expect(b"PROXY TCP4 192.0.2.1\xff 198.51.100.1 1 2\r\n", Err("a PROXY line that is not ASCII"));
    let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; LINE_MAX]].concat();
    expect(&endless, Err("a PROXY line of more than 107 bytes"));
}

#[test]
fn headers_of_version_2() {
    let tlv = [&V4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
    let longest = [&V4[..], &[0; PREAMBLE_MAX - FIXED - 12]].concat();
    let mut unix = [0; 216];
    unix[0] = b'/';
    let good: [(Vec<u8>, Option<&str>); 9] = [
        (v2(0x21, 0x11, &V4), Some("192.0.2.1:4660")),
        (v2(0x21, 0x11, &tlv), Some("192.0.2.1:4660")),
        (v2(0x21, 0x11, &longest), Some("192.0.2.1:4660")),
        (v2(0x21, 0x21, &v6()), Some("[2001:db8::1]:4660")),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &V4), None),
        (v2(0x20, 0x77, &[1, 2]), None),
        (v2(0x21, 0x00, &[1, 2, 3]), None),
        (v2(0x21, 0x31, &unix), None),
    ];
    for (header, client) in good {
        expect(&header, Ok(client));
    }
    let version = "a PROXY header of no known version and command";
    let short = "a PROXY header too short for its addresses";
    let bad: [(Vec<u8>, &str); 9] = [
        (v2(0x11, 0x11, &V4), version),
        (v2(0x22, 0x11, &V4), version),
        (v2(0x31, 0x11, &V4), version),
        (v2(0x21, 0x11, &V4[..9]), short),
        (v2(0x21, 0x21, &V4), short),
        (v2(0x21, 0x12, &V4), "a PROXY header for datagrams"),
        (v2(0x21, 0x41, &V4), "a PROXY header of no known family"),
        (b"\r\n\r\nGET".to_vec(), "no PROXY header"),
        (b"\r\n\r\n\0\r\nQUIX".to_vec(), "no PROXY header"),
    ];
    for (header, why) in bad {
        expect(&header, Err(why));
    }
    let too_long = v2(0x21, 0x11, &[0; PREAMBLE_MAX]);
    assert_eq!(parse(&too_long[..FIXED]), Err("a PROXY header of more than 536 bytes"));
}

proptest! {
    /// Whatever comes, it is known what it is within the bound, and more bytes
    /// never change the answer.
    #[test]
    fn any_bytes_come_to_an_end(
        start in prop_oneof![
            Just(Vec::new()), Just(START.to_vec()), Just(SIGNATURE.to_vec()),
            Just(v2(0x21, 0x11, &[])[..FIXED - 2].to_vec()),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..PREAMBLE_MAX + 9),
    ) {
        let bytes = [start, rest].concat();
        let mut before = Ok(None);
        for at in 0..=bytes.len() {
            let now = parse(&bytes[..at]);
            if !matches!(before, Ok(None)) {
                prop_assert_eq!(now, before);
            }
            if let Ok(Some(header)) = now {
                prop_assert!(header.len <= at && header.len <= PREAMBLE_MAX);
            }
            before = now;
        }
        prop_assert!(bytes.len() < PREAMBLE_MAX || !matches!(before, Ok(None)));
    }

    #[test]
    fn what_is_written_is_read(ip: u32, port: u16, v6: u128, tlv in 0..500usize) {
        let from = SocketAddr::from((Ipv4Addr::from_bits(ip), port));
        let line = format!("PROXY TCP4 {} 10.0.0.1 {port} 1\r\n", from.ip());
        prop_assert_eq!(parse(line.as_bytes()).unwrap().unwrap().client, Some(from));
        let mut body = ip.to_be_bytes().to_vec();
        body.extend([10, 0, 0, 1]);
        body.extend(port.to_be_bytes());
        body.resize(12 + tlv, 0);
        prop_assert_eq!(parse(&v2(0x21, 0x11, &body)).unwrap().unwrap().client, Some(from));
        let ip = IpAddr::from(Ipv6Addr::from_bits(v6));
        let line = format!("PROXY TCP6 {ip} ::1 {port} 1\r\n");
        let from = SocketAddr::new(ip.to_canonical(), port);
        prop_assert_eq!(parse(line.as_bytes()).unwrap().unwrap().client, Some(from));
    }
}
