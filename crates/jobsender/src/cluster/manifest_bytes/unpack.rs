//! A manifest that is compressed, as S3 Inventory's are: unpacked as it comes, in bounded memory.
//!
//! What it is, its first two bytes tell, not its name. A list that breaks off, or whose checksum is wrong, is an error: what
//! was read by then stands, and is told as for every manifest that cannot be read to its end.

use std::collections::VecDeque;
use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::port::BodyStream;

/// How gzip begins (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Compressed bytes that are unpacked together: they become some four MiB at most, as deflate packs a thousand to one.
const PIECE: usize = 4 * 1024;

/// What the first bytes have told.
enum Form {
    /// Not enough of them yet.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

struct Unpacking {
    bytes: BodyStream,
    form: Form,
    /// Pieces that came and are not unpacked yet.
    pieces: VecDeque<Bytes>,
    ended: bool,
}

/// Passes plain bytes on, and unpacks those of gzip.
pub fn unpacked(bytes: BodyStream) -> BodyStream {
    let unpacking =
        Unpacking { bytes, form: Form::Unknown(Vec::new()), pieces: VecDeque::new(), ended: false };
    let plain = stream::try_unfold(unpacking, |mut unpacking| async move {
        Ok(unpacking.next().await?.map(|plain| (plain, unpacking)))
    });
    plain.boxed()
}

impl Unpacking {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                if let Some(plain) = self.unpack(&piece)? {
                    return Ok(Some(plain));
                }
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            match self.bytes.try_next().await? {
                Some(frame) => self.take(frame),
                None => {
                    self.ended = true;
                    if let Some(plain) = self.finish()? {
                        return Ok(Some(plain));
                    }
                }
            }
        }
    }

    fn take(&mut self, mut frame: Bytes) {
        if let Form::Unknown(first) = &mut self.form {
            first.extend_from_slice(&frame);
            if first.len() < GZIP.len() {
                return;
            }
            frame = std::mem::take(first).into();
            self.form = match frame.starts_with(&GZIP) {
                true => Form::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
                false => Form::Plain,
            };
        }
        match self.form {
            Form::Gzip(_) => {
                while frame.len() > PIECE {
                    self.pieces.push_back(frame.split_to(PIECE));
                }
                self.pieces.push_back(frame);
            }
            Form::Unknown(_) | Form::Plain => self.pieces.push_back(frame),
        }
    }

    fn unpack(&mut self, piece: &Bytes) -> Result<Option<Bytes>, StoreError> {
        let Form::Gzip(decoder) = &mut self.form else { return Ok(some(piece.clone())) };
        decoder.write_all(piece).map_err(|error| broken(&error))?;
        Ok(some(std::mem::take(decoder.get_mut()).into()))
    }

    fn finish(&mut self) -> Result<Option<Bytes>, StoreError> {
        match std::mem::replace(&mut self.form, Form::Plain) {
            Form::Unknown(first) => Ok(some(first.into())),
            Form::Plain => Ok(None),
            Form::Gzip(decoder) => {
                let rest = decoder.finish().map_err(|error| broken(&error))?;
                Ok(some(rest.into()))
            }
        }
    }
}

fn some(bytes: Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then_some(bytes)
}

fn broken(error: &std::io::Error) -> StoreError {
    let text = format!("it is compressed (gzip), and damaged or not whole: {error}; make or fetch it again");
    StoreError::new(StoreErrorKind::Corrupt, text)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(bytes: &[u8], frame: usize) -> Result<Vec<u8>, StoreError> {
        let frames: Vec<Bytes> = bytes.chunks(frame).map(Bytes::copy_from_slice).collect();
        let mut stream = unpacked(stream::iter(frames).map(Ok).boxed());
        let mut plain = Vec::new();
        while let Some(bytes) = stream.try_next().await? {
            assert!(bytes.len() <= 5 << 20, "{}", bytes.len());
            plain.extend_from_slice(&bytes);
        }
        Ok(plain)
    }

    #[tokio::test]
    async fn what_is_packed_comes_out_and_what_is_plain_stays() {
        let text: Vec<u8> = (0..20_000).flat_map(|n| format!("bucket,key/{n:06}\n").into_bytes()).collect();
        // Several members one after the other are one file (RFC 1952, section 2.2).
        let twice = [packed(&text[..1000]), packed(&text[1000..])].concat();
        for frame in [1, 2, 3, 5000, usize::MAX / 2] {
            let frame = frame.min(twice.len());
            assert_eq!(read(&twice, frame).await.unwrap(), text, "{frame}");
            assert_eq!(read(&packed(b""), frame).await.unwrap(), b"");
        }
        for plain in [&b"\x1f"[..], b"", b"\x1fa", b"a\x1f\x8b", b"b,k\n"] {
            assert_eq!(read(plain, 1).await.unwrap(), plain);
        }
        // A thousand to one, and no more than some four MiB at once.
        assert_eq!(read(&packed(&vec![b'x'; 64 << 20]), 1 << 20).await.unwrap().len(), 64 << 20);
    }

    #[tokio::test]
    async fn what_is_damaged_or_cut_off_is_told() {
        let whole = packed(&b"bucket,key\n".repeat(5000));
        for cut in [2, 10, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
            let error = read(&whole[..cut], 7).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Corrupt, "{cut}: {}", error.message);
        }
        for at in [whole.len() / 2, whole.len() - 6] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(read(&flipped, 100).await.is_err(), "{at}");
        }
    }
}
