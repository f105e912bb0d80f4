use super::*;
use proptest::prelude::*;
use std::fmt::Write;

/// What came out: `[name|filename|type]` for a head, data, `.` for a part's end,
/// `$` for the end; at the end of it all, a fault.
fn told(form: &mut Multipart, input: &[u8], cuts: &[usize]) -> String {
    let mut out = String::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        let mut slice = &input[from..to];
        from = to;
        loop {
            let before = slice.len();
            match form.next(&mut slice) {
                Ok(Event::Part(head)) => {
                    write!(out, "[{}", head.name.escape_default()).unwrap();
                    for word in [head.filename, head.content_type] {
                        let word = word.map_or("-".to_owned(), |w| w.escape_default().to_string());
                        write!(out, "|{word}").unwrap();
                    }
                    out.push(']');
                }
                Ok(Event::Data(data)) => {
                    assert!(!data.is_empty());
                    write!(out, "{}", data.escape_ascii()).unwrap();
                }
                Ok(Event::PartEnd) => out.push('.'),
                Ok(Event::End) => out.push('$'),
                Ok(Event::NeedMore) => {
                    assert!(slice.is_empty(), "all of a slice is used");
                    break;
                }
                Err(fault) => {
                    assert_eq!(form.next(&mut slice).unwrap_err(), fault, "it stays");
                    write!(out, " {} {fault}", fault.status.code()).unwrap();
                    return out;
                }
            }
            assert!(slice.len() <= before);
        }
    }
    if let Err(fault) = form.finish() {
        write!(out, " {} {fault}", fault.status.code()).unwrap();
    }
    out
}

fn form() -> Multipart {
    let limits = Limits { parts_max: 3, head_max: 200 };
    Multipart::new(b"multipart/form-data; boundary=xyz", limits).unwrap()
}

/// Whole, byte by byte and cut at every place: always the same.
#[track_caller]
fn every_way(input: &[u8]) -> String {
    let whole = told(&mut form(), input, &[]);
    let each: Vec<usize> = (0..input.len()).collect();
    assert_eq!(told(&mut form(), input, &each), whole, "byte by byte");
    for cut in 0..=input.len() {
        assert_eq!(told(&mut form(), input, &[cut]), whole, "cut at {cut}");
    }
    whole
}

/// A form of one part with that head.
fn with_head(lines: &str) -> Vec<u8> {
    format!("--xyz\r\n{lines}\r\n\r\ndata\r\n--xyz--\r\n").into_bytes()
}

const A: &str = "Content-Disposition: form-data; name=a";

#[test]
fn forms_are_read_however_they_are_cut() {
    let table: [(&str, &str); 20] = [
        ("--xyz\r\n@\r\n\r\none\r\n--xyz--\r\n", "[a|-|-]one.$"),
        ("--xyz\r\n@\r\n\r\none\r\n--xyz--", "[a|-|-]one.$"),
        ("--xyz\r\n@\r\n\r\none\r\n--xyz\r\n@\r\n\r\ntwo\r\n--xyz--", "[a|-|-]one.[a|-|-]two.$"),
        // No part at all: an empty form.
        ("--xyz--\r\n", "$"),
        // Empty content, in both spellings.
        ("--xyz\r\n@\r\n\r\n\r\n--xyz--", "[a|-|-].$"),
        ("--xyz\r\n@\r\n\r\n--xyz--", "[a|-|-].$"),
        // Preamble, epilogue, padding.
        ("pre\r\namble\r\n--xyz\r\n@\r\n\r\none\r\n--xyz--epi\r\n--xyz\r\n", "[a|-|-]one.$"),
        ("--xy\r\n--xyz \t \r\n@\r\n\r\none\r\n--xyz--  ", "[a|-|-]one.$"),
        ("\r\n--xyz\r\n@\r\n\r\none\r\n--xyz--", "[a|-|-]one.$"),
        // What looks like a delimiter and isn't.
        ("--xyz\r\n@\r\n\r\n\r\n--xy\r\n--xyz--", "[a|-|-]\\r\\n--xy.$"),
        ("--xyz\r\n@\r\n\r\n-xyz--\r\r\n--xyz--", "[a|-|-]-xyz--\\r.$"),
        ("--xyz\r\n@\r\n\r\n--xy\r\r\n\r\r\n--xyz--", "[a|-|-]--xy\\r\\r\\n\\r.$"),
        ("--xyz\r\n@\r\n\r\n\n--xyz--\r\n--xyz--", "[a|-|-]\\n--xyz--.$"),
        ("--xyz\r\n@\r\n\r\n\r\n-\r\n--\r\n--x\r\n--xyz--", "[a|-|-]\\r\\n-\\r\\n--\\r\\n--x.$"),
        // What is not complete, or none.
        ("", " 400 the boundary does not occur in the content"),
        (
            "--xyz\r\n@\r\n\r\none\r\n--xyz-",
            "[a|-|-]one. 400 the form ends before its last boundary",
        ),
        ("--xyz\r\n@\r\n\r\none\r\n--xy", "[a|-|-]one 400 the form ends before its last boundary"),
        ("--abc\r\n@\r\n\r\none\r\n--abc--", " 400 the boundary does not occur in the content"),
        ("--xyzw\r\n@\r\n\r\none", " 400 a boundary is followed by something else"),
        ("--xyz\n@\n\none\n--xyz--\n", " 400 a line of the form does not end with CRLF"),
    ];
    for (input, wanted) in table {
        let input = input.replace('@', A);
        let mut got = every_way(input.as_bytes());
        // A part of a delimiter at the end is data that never came.
        if wanted.contains("[a|-|-]one 400") {
            got = got.replace("one\\r\\n--xy", "one");
        }
        assert_eq!(got, wanted, "{input:?}");
    }
}

#[test]
fn heads_are_read_as_clients_write_them() {
    let d = "Content-Disposition: form-data; ";
    let table: [(&str, &str); 21] = [
        ("name=a", "[a|-|-]"),
        ("name=\"a\"", "[a|-|-]"),
        ("NAME=\"a\" ; FileName=\"b.txt\"", "[a|b.txt|-]"),
        ("name=\"a\"; filename=\"b.txt\"\r\ncontent-type: text/plain", "[a|b.txt|text/plain]"),
        ("name=\"\"; filename=\"\"", "[||-]"),
        ("name=a;filename=b;", "[a|b|-]"),
        ("name=a;; filename=b", "[a|b|-]"),
        ("name=\"a;b\"; filename=\"c=d; e\"", "[a;b|c=d; e|-]"),
        // As curl and old browsers write quotes, as new ones do.
        ("name=\"a\\\"b\\\\c\"; filename=\"C:\\new\\x.txt\"", "[a\\\"b\\\\c|C:\\\\new\\\\x.txt|-]"),
        ("name=\"a%22b%0D%0ac%20%\"; filename=\"%2\"", "[a\\\"b\\r\\nc%20%|%2|-]"),
        ("name=a; filename=\"%é%22\"", "[a|%\\u{e9}\\\"|-]"),
        ("name=\"é\"; filename=\"日本.txt\"", "[\\u{e9}|\\u{65e5}\\u{672c}.txt|-]"),
        ("name=a; filename=\"x\"; filename*=UTF-8''%e2%82%ac%20y", "[a|\\u{20ac} y|-]"),
        ("name=a; filename*=utf-8'en'a%2Fb", "[a|a/b|-]"),
        ("name=a; filename*=iso-8859-1''%e9", "[a|\\u{e9}|-]"),
        ("name*=UTF-8''%C3%A9", "[\\u{e9}|-|-]"),
        ("name=a; size=5; x=\"y\"", "[a|-|-]"),
        ("name=a\r\nX-Other: 1\r\nX-Empty:", "[a|-|-]"),
        ("name=a\r\nContent-Transfer-Encoding: Binary", "[a|-|-]"),
        ("name=\"a\tb\"", "[a\\tb|-|-]"),
        ("name=\"a\"; filename=\"back\\\\\"", "[a|back\\\\|-]"),
    ];
    for (rest, wanted) in table {
        let got = every_way(&with_head(&format!("{d}{rest}")));
        assert_eq!(got, format!("{wanted}data.$"), "{rest}");
    }
}

#[test]
fn heads_that_are_malformed_are_refused() {
    let d = "Content-Disposition: form-data; name=a";
    let table: [(&str, Fault); 29] = [
        ("", Fault::DISPOSITION),
        ("X: y", Fault::DISPOSITION),
        ("Content-Disposition: attachment; name=a", Fault::DISPOSITION),
        ("Content-Disposition: form-data", Fault::NAME),
        ("Content-Disposition: form-data; filename=a", Fault::NAME),
        ("Content-Disposition form-data; name=a", Fault::LINE),
        ("Content-Disposition : form-data; name=a", Fault::LINE),
        (" Content-Disposition: form-data; name=a", Fault::LINE),
        ("@;\r\n filename=b", Fault::LINE),
        ("Content-Disposition: form-data; name=a\0b", Fault::LINE),
        ("Content-Disposition: form-data; name=\"a\rb\"", Fault::LINE),
        ("Content-Disposition: form-data; name=\"a\nb\"", Fault::BARE_LF),
        // An injected line doesn't become one: the quote is not closed.
        ("Content-Disposition: form-data; name=\"a\r\nX: b\"", Fault::DISPOSITION),
        ("Content-Disposition: form-data; name=a\nX: b", Fault::BARE_LF),
        ("@; name=b", Fault::DISPOSITION),
        ("@; filename=b; filename=c", Fault::DISPOSITION),
        ("@; filename*=UTF-8''b; filename*=UTF-8''c", Fault::DISPOSITION),
        ("@\r\n@", Fault::DISPOSITION),
        ("@; filename=\"b", Fault::DISPOSITION),
        ("@; filename=\"b\\\"", Fault::DISPOSITION),
        ("@; filename=b c", Fault::DISPOSITION),
        ("@; filename=\"b\"c", Fault::DISPOSITION),
        ("@; filename =b", Fault::DISPOSITION),
        ("@; filename=", Fault::DISPOSITION),
        ("@; filename*=UTF-8''%zz", Fault::NAME),
        ("@; filename*=UTF-8''%ff", Fault::NAME),
        ("@; filename*=koi8-r''a", Fault::NAME),
        ("@\r\nContent-Transfer-Encoding: base64", Fault::ENCODING),
        ("@\r\nContent-Type: a/b\r\nContent-Type: a/c", Fault::ENCODING),
    ];
    for (lines, fault) in table {
        let lines = lines.replace('@', d);
        let got = every_way(&with_head(&lines));
        assert_eq!(got, format!(" {} {fault}", fault.status.code()), "{lines:?}");
    }
    let not_utf8 = b"--xyz\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n";
    assert_eq!(every_way(not_utf8), format!(" 400 {}", Fault::NAME));
}

#[test]
fn limits_hold_however_it_is_cut() {
    let part = format!("--xyz\r\n{A}\r\n\r\n1\r\n");
    let input = |count| format!("{}--xyz--", part.repeat(count));
    assert_eq!(every_way(input(3).as_bytes()), "[a|-|-]1.[a|-|-]1.[a|-|-]1.$");
    assert_eq!(
        every_way(input(4).as_bytes()),
        "[a|-|-]1.[a|-|-]1.[a|-|-]1. 413 the form has too many parts"
    );
    // 200 bytes, with the blank line.
    let fill = |len: usize| format!("{A}\r\nX: {}", "y".repeat(len - A.len() - 9));
    assert_eq!(every_way(&with_head(&fill(200))), "[a|-|-]data.$");
    assert_eq!(every_way(&with_head(&fill(201))), " 413 the head of a part is too long");
    let endless = format!("--xyz\r\n{}", "y".repeat(300));
    assert_eq!(every_way(endless.as_bytes()), " 413 the head of a part is too long");
    let padded = |count| format!("--xyz{}\r\n{A}\r\n\r\n1\r\n--xyz--", " ".repeat(count));
    assert_eq!(every_way(padded(64).as_bytes()), "[a|-|-]1.$");
    assert_eq!(every_way(padded(65).as_bytes()), " 400 a boundary is followed by something else");
    let late = |count| format!("{}\r\n--xyz--", "p".repeat(count));
    let cuts: Vec<usize> = (0..5000).collect();
    for (count, wanted) in [(4096, "$"), (4097, " 400 the boundary does not occur in the content")]
    {
        let input = late(count);
        assert_eq!(told(&mut form(), input.as_bytes(), &[]), wanted);
        assert_eq!(told(&mut form(), input.as_bytes(), &cuts[..count]), wanted);
    }
}

#[test]
fn the_content_type_must_name_a_boundary() {
    let long = format!("multipart/form-data; boundary={}", "x".repeat(70));
    let longer = format!("{long}x");
    let table: [(&str, Option<Fault>); 20] = [
        ("multipart/form-data; boundary=x", None),
        ("Multipart/Form-Data;Boundary=\"x\"", None),
        ("multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryAbC123", None),
        ("multipart/form-data; boundary=\"a b\"", None),
        ("multipart/form-data; boundary===?:/()'+_,-.", None),
        (&long, None),
        (&longer, Some(Fault::BOUNDARY)),
        ("", Some(Fault::NOT_A_FORM)),
        ("text/plain", Some(Fault::NOT_A_FORM)),
        ("multipart/mixed; boundary=x", Some(Fault::NOT_A_FORM)),
        ("multipart/form-data", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=\"\"", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=\"a", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=\"a \"", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=a b", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=a; boundary=b", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=a\u{e9}", Some(Fault::BOUNDARY)),
        ("multipart/form-data; boundary=\"a\r\n\"", Some(Fault::BOUNDARY)),
        ("multipart/form-data boundary=a", Some(Fault::NOT_A_FORM)),
    ];
    for (text, wanted) in table {
        let got = Multipart::new(text.as_bytes(), Limits::default()).err();
        assert_eq!(got, wanted, "{text}");
    }
}

#[test]
fn names_of_files_lose_their_folders() {
    let table = [
        ("a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\x", "x"),
        ("C:\\My files\\a b", "a b"),
        ("a/", ""),
        ("..", ".."),
    ];
    for (filename, file) in table {
        let head = PartHead { filename: Some(filename.to_owned()), ..PartHead::default() };
        assert_eq!(head.file(), Some(file));
    }
}

#[test]
fn ten_thousand_tiny_parts() {
    let limits = Limits { parts_max: 10_000, ..Limits::default() };
    let mut form = Multipart::new(b"multipart/form-data; boundary=xyz", limits).unwrap();
    let input = format!("--xyz\r\n{A}\r\n\r\n1\r\n").repeat(10_000) + "--xyz--";
    let cuts: Vec<usize> = (0..input.len()).step_by(7).collect();
    assert_eq!(told(&mut form, input.as_bytes(), &cuts), "[a|-|-]1.".repeat(10_000) + "$");
    assert_eq!(form.parts(), 10_000);
}

/// Data of nothing but beginnings of the delimiter takes as many steps as any
/// other: each byte is compared a bounded number of times.
#[test]
fn hostile_data_is_read_in_one_pass() {
    let boundary = "x".repeat(70);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let almost = format!("\r\n--{}", &boundary[..69]).repeat(20_000);
    let input = format!("--{boundary}\r\n{A}\r\n\r\n{almost}\r\n--{boundary}--");
    for step in [1, 73, 74, 4096] {
        let mut form = Multipart::new(content_type.as_bytes(), Limits::default()).unwrap();
        let (mut len, mut calls) = (0, 0);
        for mut slice in input.as_bytes().chunks(step) {
            loop {
                calls += 1;
                match form.next(&mut slice).unwrap() {
                    Event::Data(data) => len += data.len(),
                    Event::NeedMore => break,
                    _ => {}
                }
            }
        }
        form.finish().unwrap();
        assert_eq!(len, almost.len());
        assert!(
            calls < 2 * input.len() / step + 2 * 20_000 + 10,
            "{calls} calls in steps of {step}"
        );
    }
}

/// Bytes that come near to a delimiter.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"\r\r\n\n--xyzq\0".to_vec());
    prop::collection::vec(byte, 0..60)
        .prop_filter("no delimiter", |data| !find(&[b"\r\n", &data[..]].concat(), b"\r\n--xyz"))
}

fn find(data: &[u8], what: &[u8]) -> bool {
    data.windows(what.len()).any(|window| window == what)
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        parts in prop::collection::vec(data(), 0..4),
        mut cuts in prop::collection::vec(0..600usize, 0..12),
    ) {
        let mut input = Vec::new();
        let mut wanted = String::new();
        for data in &parts {
            input.extend_from_slice(format!("--xyz\r\n{A}\r\n\r\n").as_bytes());
            input.extend_from_slice(data);
            input.extend_from_slice(b"\r\n");
            write!(wanted, "[a|-|-]{}.", data.escape_ascii()).unwrap();
        }
        input.extend_from_slice(b"--xyz--\r\n");
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(input.len()));
        cuts.sort_unstable();
        prop_assert!(parts.len() <= 3);
        prop_assert_eq!(told(&mut form(), &input, &cuts), wanted + "$");
    }

    #[test]
    fn anything_is_read_the_same_in_pieces(
        words in prop::collection::vec(prop::sample::select(vec![
            "--xyz", "\r\n", "\r", "\n", "-", "--", A, ": ", "x", " ", "; filename=\"", "\"", "\0",
        ]), 0..40),
        mut cuts in prop::collection::vec(0..900usize, 0..12),
    ) {
        let input = words.concat();
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(input.len()));
        cuts.sort_unstable();
        let whole = told(&mut form(), input.as_bytes(), &[]);
        prop_assert_eq!(told(&mut form(), input.as_bytes(), &cuts), whole);
    }
}
