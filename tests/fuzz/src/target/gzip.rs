//! Compressed manifests: plain bytes pass, packed ones are unpacked as a second reader does it, and what is damaged
//! is told.

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_jobsender::cluster::unpacked;
use std::io::Read as _;

use super::{Target, USUAL, bounds};
use crate::{Form, Random};

pub(super) const TARGET: Target = Target {
    name: "gzip",
    form: Form::Bytes,
    tokens: &["\u{1f}", "\u{8b}", "\u{8}", "\0\0\0\0\0\u{3}", "\0"],
    large,
    longest: 8 * 1024,
    // A thousand bytes out of one, four KiB of them at once.
    memory: 24 * 1024 * 1024,
    run,
    ..USUAL
};

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to a Vec does not fail.
    let _ = std::io::Write::write_all(&mut encoder, plain);
    encoder.finish().unwrap_or_default()
}

fn large() -> Vec<Vec<u8>> {
    let lines: Vec<u8> = (0..300).flat_map(|n| format!("src,p/{n}\n").into_bytes()).collect();
    vec![
        packed(&lines),
        packed(b""),
        [packed(b"src,p/x\n"), packed(b"src,p/y\n")].concat(),
        packed(&vec![b'x'; 4 << 20]),
        packed(&lines)[..100].to_vec(),
        b"src,p/x\n".to_vec(),
        b"\x1f".to_vec(),
    ]
}

/// Reads in frames of such sizes; what came, and how it ended.
fn read(input: &[u8], frame: usize) -> (Vec<u8>, Option<StoreError>) {
    let frames: Vec<_> = input.chunks(frame.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut bytes = unpacked(stream::iter(frames).boxed());
    let mut plain = Vec::new();
    let end = async {
        while let Some(piece) = bytes.try_next().await? {
            assert!(!piece.is_empty() && piece.len() <= 5 << 20, "a piece of {} bytes", piece.len());
            plain.extend_from_slice(&piece);
        }
        Ok(())
    };
    let end = end.now_or_never().expect("nothing to wait for");
    (plain, end.err())
}

fn run(input: &[u8]) {
    let (plain, error) = read(input, input.len());
    let mut random = Random::new(u64::try_from(input.len()).unwrap_or(0));
    let (again, other) = read(input, 1 + random.below(300));
    assert_eq!(error.is_some(), other.is_some(), "frames change the end");
    if !input.starts_with(b"\x1f\x8b") {
        assert!(error.is_none() && plain == input, "plain bytes are changed");
        return;
    }
    match error {
        None => {
            assert!(plain == again, "frames change what is read");
            let mut expected = Vec::new();
            MultiGzDecoder::new(input).read_to_end(&mut expected).expect("what was unpacked is whole");
            assert!(plain == expected, "another reader finds something else");
        }
        Some(error) => {
            assert_eq!(error.kind, StoreErrorKind::Corrupt);
            bounds::showable(&error);
        }
    }
}
