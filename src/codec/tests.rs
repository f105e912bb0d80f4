//! What holds for every coding: decoded by somebody else, it is what went in.

use super::*;
use proptest::prelude::*;
use std::io::Read;

/// A reader that ends where the bytes do, which may be within the stream.
fn decoder<'a>(coding: Coding, bytes: &'a [u8]) -> Box<dyn Read + 'a> {
    match coding {
        #[cfg(feature = "gzip")]
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
        #[cfg(feature = "brotli")]
        Coding::Br => Box::new(::brotli::Decompressor::new(bytes, 4096)),
        #[cfg(feature = "zstd")]
        Coding::Zstd => Box::new(::zstd::stream::read::Decoder::new(bytes).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decoder(coding, bytes).read_to_end(&mut out).expect("whole, to its end");
    out
}

/// What can be read of a stream that has no end yet.
fn so_far(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = decoder(coding, bytes);
    let mut some = [0; 4096];
    while let Ok(n @ 1..) = reader.read(&mut some) {
        out.extend_from_slice(&some[..n]);
    }
    out
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|n| b"the quick brown fox\n"[(n * n / 7) % 20]).collect()
}

#[test]
fn content_comes_back_and_an_encoder_is_used_again() {
    for &coding in AVAILABLE {
        for level in [0, 1, 4, 9, 100] {
            let mut encoder = Encoder::new(coding, level).unwrap();
            assert_eq!(encoder.coding(), coding);
            for len in [0, 1, 2, 100, 8_192, 100_000, 300_000] {
                let mut out = b"before".to_vec();
                encoder.push(&text(len), &mut out).unwrap();
                encoder.end(&mut out).unwrap();
                let rest = out.strip_prefix(b"before").unwrap();
                assert!(decoded(coding, rest) == text(len), "{coding:?} {len} at {level}");
                assert!(len < 8_192 || rest.len() < len / 4, "{coding:?}: {}", rest.len());
            }
        }
    }
    assert!(Encoder::new(Coding::Identity, 4).is_err());
}

#[test]
fn what_is_flushed_can_be_read() {
    for &coding in AVAILABLE {
        let (mut encoder, mut out) = (Encoder::new(coding, 4).unwrap(), Vec::new());
        let mut sent = Vec::new();
        for len in [1, 10_000, 0, 3, 200_000] {
            encoder.push(&text(len), &mut out).unwrap();
            sent.extend(text(len));
            encoder.flush(&mut out).unwrap();
            let length = out.len();
            encoder.flush(&mut out).unwrap();
            assert!(out.len() <= length + 16, "{coding:?}: a flush for nothing");
            assert!(so_far(coding, &out) == sent, "{coding:?} after {len}");
        }
        encoder.end(&mut out).unwrap();
        assert!(decoded(coding, &out) == sent);
    }
}

#[test]
fn a_stream_needs_no_more_memory_than_a_piece() {
    for &coding in AVAILABLE {
        let (mut encoder, mut out) = (Encoder::new(coding, 1).unwrap(), Vec::new());
        let mut sum = 0;
        for n in 0..2_000u32 {
            let mix = |i: u32| (n * 1_000 + i).wrapping_mul(2_654_435_761);
            let noise: Vec<u8> = (0..1_000).map(|i| (mix(i) >> 13) as u8).collect();
            encoder.push(&noise, &mut out).unwrap();
            assert!(out.len() <= 512 * 1024, "{coding:?}: {} bytes at once", out.len());
            sum += out.len();
            out.clear();
        }
        assert!(sum > 1_000, "{coding:?}: {sum} bytes: nothing came out on the way");
    }
}

fn piece() -> impl Strategy<Value = (Vec<u8>, bool)> {
    (prop::collection::vec(0..8u8, 0..3000), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn any_pieces_are_the_whole(
        pieces in prop::collection::vec(piece(), 0..8),
        room in 0..64usize,
    ) {
        for &coding in AVAILABLE {
            let mut encoder = Encoder::new(coding, 4).unwrap();
            let (mut out, mut whole) = (Vec::with_capacity(room), Vec::new());
            for (piece, flush) in &pieces {
                encoder.push(piece, &mut out).unwrap();
                whole.extend_from_slice(piece);
                if *flush {
                    encoder.flush(&mut out).unwrap();
                }
            }
            encoder.end(&mut out).unwrap();
            prop_assert_eq!(decoded(coding, &out), whole);
        }
    }
}
