use super::*;

#[test]
fn normalise_decodes_what_needs_no_encoding() {
    for (path, wanted) in [
        ("/%41%7a%30%2D%2e%5f%7E", "/Az0-._~"),
        ("/a%2fb%c3%a4", "/a%2Fb%C3%A4"),
        ("/%2541", "/%2541"),
        ("/%25%34%31", "/%2541"),
        ("/ü%61ü", "/üaü"),
    ] {
        assert_eq!(normalise(path).as_deref().unwrap_or(path), wanted, "{path}");
        assert_eq!(normalise(wanted), None, "{wanted}");
    }
    for same in ["", "/", "/abc", "/%2F", "/%C3%A4", "/100%", "/%G1", "/%zz%41%", "/%4%41"] {
        assert_eq!(normalise(same), None, "{same}");
    }
}

/// Found by fuzzing: a lone `%` and what was decoded behind it made a triplet.
#[test]
fn normalise_makes_no_new_triplets() {
    for path in ["/%%341", "/%%32e%%32e/", "/%4%41", "/%zz%41%", "/%41%"] {
        assert_eq!(normalise(path), None, "{path}");
    }
}

#[test]
fn decoding_undoes_encoding() {
    for byte in 0..128u8 {
        let text = format!("a{}ü", char::from(byte));
        let encoded = percent_encode(text.as_bytes());
        assert!(!encoded.contains('/') && encoded.is_ascii() && are_triplets(encoded.as_bytes()));
        assert_eq!(percent_decode(&encoded).as_deref(), Some(&*text));
    }
    assert_eq!(percent_encode(b"a-b:c@d;e=f"), "a-b:c@d;e=f");
    assert_eq!(percent_encode(&[0xff, b'%', b'?']), "%FF%25%3F");
}

#[test]
fn decoding_keeps_bad_triplets_and_refuses_bad_text() {
    let table = [
        ("", Some("")),
        ("plain+text", Some("plain+text")),
        ("%2e%2E%2f%00", Some("../\0")),
        ("%", Some("%")),
        ("%4", Some("%4")),
        ("%zz%41", Some("%zzA")),
        ("%e4", None),
        ("%C3%A4", Some("ä")),
        ("%C3", None),
        ("%ED%A0%80", None),
    ];
    for (text, wanted) in table {
        assert_eq!(percent_decode(text).as_deref(), wanted, "{text}");
    }
}

#[test]
fn triplets() {
    assert!(are_triplets(b"") && are_triplets(b"a%00b%ff") && are_triplets(b"%Fa"));
    assert!(!are_triplets(b"%") && !are_triplets(b"%1") && !are_triplets(b"%00%g0"));
    assert!(!are_triplets(b"%%00"));
}

#[test]
fn authorities_split_at_the_port() {
    assert_eq!(split_authority(b"a:1"), Some((&b"a"[..], Some(&b"1"[..]))));
    assert_eq!(split_authority(b"a:"), Some((&b"a"[..], Some(&b""[..]))));
    assert_eq!(split_authority(b"[::1]"), Some((&b"[::1]"[..], None)));
    assert_eq!(split_authority(b""), None);
    assert_eq!(split_authority(b":1"), None);
    assert_eq!(split_authority(b"a@b:1"), None);
}
