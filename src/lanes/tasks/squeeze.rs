//! The tasks `compress` and `decompress`. What is compressed is cut into blocks, which the threads of
//! the lane compress at once and which follow each other in the file: both formats take that as one.
//! (Threads of zstd's own would be more than the lane has.) Holds some blocks in memory, however large
//! the file is.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Error as IoError, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use zstd::stream::read::Decoder as ZstdDecoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::super::context::Context;
use super::atomic::AtomicFile;
use super::meter::Meter;
use super::read::{cannot_read, next_chunk, open_regular};
use super::spread::spread;
use super::{Done, TaskError, TaskResult};
use crate::engine::files::Compression;

/// The most blocks that are compressed at once. With as many that are read meanwhile and as many that
/// wait to be written, this is under 200 MiB.
const BLOCKS_BOUND: usize = 16;

/// What is compressed between two looks at the cancel token: at zstd's highest levels some ten
/// milliseconds.
const PIECE_BYTES: usize = 64 << 10;

/// What is decompressed between two looks.
const CHUNK_BYTES: usize = 256 << 10;

/// The level unless a job says otherwise: what the formats' own tools take.
const fn usual_level(format: Compression) -> u8 {
    match format {
        Compression::Zstd => 3,
        Compression::Gzip => 6,
    }
}

/// Large beside what a format looks back (2 MiB at zstd's usual level, 32 KiB in gzip), so that little
/// is lost where a block begins without a past.
const fn block_bytes(format: Compression) -> usize {
    match format {
        Compression::Zstd => 4 << 20,
        Compression::Gzip => 1 << 20,
    }
}

/// From where to where.
pub(super) struct Way {
    from: PathBuf,
    to: PathBuf,
    format: Compression,
    keep: bool,
}

impl Way {
    pub(super) fn new(
        from: PathBuf,
        to: PathBuf,
        format: Compression,
        keep: bool,
    ) -> Result<Self, TaskError> {
        if from == to {
            return Err(TaskError::failed(format!(
                "{} cannot take the place of itself",
                from.display()
            )));
        }
        Ok(Self {
            from,
            to,
            format,
            keep,
        })
    }

    /// Puts the file in its place and removes what it was made of, if that is not to stay.
    fn finish(&self, source: &Source, target: AtomicFile) -> Result<(), TaskError> {
        if self.keep {
            return target.commit();
        }
        if !source.is_unchanged() || !source.is_at(&self.from) {
            return Err(TaskError::failed(format!(
                "{} changed while it was read, so it stays and {} is not written",
                self.from.display(),
                self.to.display()
            )));
        }
        target.commit()?;
        fs::remove_file(&self.from).map_err(|error| {
            TaskError::failed(format!(
                "{} is written, but {} cannot be removed: {error}",
                self.to.display(),
                self.from.display()
            ))
        })
    }
}

/// What is read, and what was known of it at the beginning.
struct Source {
    file: File,
    before: fs::Metadata,
}

impl Source {
    fn open(way: &Way) -> Result<(Self, AtomicFile), TaskError> {
        let (file, before) = open_regular(&way.from)?;
        let same = |there: fs::Metadata| (there.dev(), there.ino()) == (before.dev(), before.ino());
        if fs::metadata(&way.to).is_ok_and(same) {
            return Err(TaskError::failed(format!(
                "{} is {} by another name, and cannot take the place of itself",
                way.to.display(),
                way.from.display()
            )));
        }
        let target = AtomicFile::create(&way.to, Some(before.permissions().mode()))?;
        Ok((Self { file, before }, target))
    }

    /// Whether the file that was read still has this name.
    fn is_at(&self, path: &Path) -> bool {
        let same = |there: fs::Metadata| {
            (there.dev(), there.ino()) == (self.before.dev(), self.before.ino())
        };
        fs::symlink_metadata(path).is_ok_and(same)
    }

    fn is_unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|now| {
            now.len() == self.before.len() && now.modified().ok() == self.before.modified().ok()
        })
    }
}

/// On the cpu lane, on this and others of its threads, `threads` in all.
pub(super) fn compress(
    context: &Context,
    way: &Way,
    level: Option<u8>,
    threads: usize,
) -> TaskResult {
    let level = level.unwrap_or(usual_level(way.format));
    let (mut source, mut target) = Source::open(way)?;
    let meter = Meter::new(context, source.before.len());
    let count = (2 * threads).min(BLOCKS_BOUND);
    let mut written = 0;
    let mut blocks = read_blocks(context, &mut source.file, way, count)?;
    if blocks.is_empty() {
        // Of nothing, too, something is made that can be decompressed.
        blocks.push(Vec::new());
    }
    while !blocks.is_empty() {
        let file = &mut source.file;
        let (next, squeezed) = spread(
            threads,
            &blocks,
            || read_blocks(context, file, way, count),
            |block| squeeze(context, block, way, level),
        );
        for block in squeezed {
            let block = block?;
            context.check()?;
            target.write(&block)?;
            written += block.len() as u64;
        }
        meter.add(blocks.iter().map(|block| block.len() as u64).sum());
        blocks = next?;
    }
    way.finish(&source, target)?;
    Ok(done(way, meter.done(), written, (meter.done(), written)))
}

/// The next blocks of a file, `count` at most; none at its end.
fn read_blocks(
    context: &Context,
    file: &mut File,
    way: &Way,
    count: usize,
) -> Result<Vec<Vec<u8>>, TaskError> {
    let size = block_bytes(way.format);
    let mut blocks = Vec::with_capacity(count);
    while blocks.len() < count {
        let mut block = vec![0; size];
        let mut filled = 0;
        while filled < size {
            context.check()?;
            match next_chunk(file, &mut block[filled..], &way.from)? {
                0 => break,
                n => filled += n,
            }
        }
        block.truncate(filled);
        if filled > 0 {
            blocks.push(block);
        }
        if filled < size {
            break;
        }
    }
    Ok(blocks)
}

/// A block as a whole of its own: a frame of zstd, a member of gzip.
fn squeeze(context: &Context, block: &[u8], way: &Way, level: u8) -> Result<Vec<u8>, TaskError> {
    let failed = |error: IoError| {
        TaskError::failed(format!("cannot compress {}: {error}", way.from.display()))
    };
    let room = Vec::with_capacity(block.len() / 2);
    match way.format {
        Compression::Zstd => {
            let mut encoder = ZstdEncoder::new(room, i32::from(level)).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            // The higher levels take memory for what they might be given, unless they know.
            let size = Some(block.len() as u64);
            encoder.set_pledged_src_size(size).map_err(failed)?;
            feed(context, block, &mut encoder, failed)?;
            encoder.finish().map_err(failed)
        }
        Compression::Gzip => {
            let level = flate2::Compression::new(u32::from(level));
            let mut encoder = GzEncoder::new(room, level);
            feed(context, block, &mut encoder, failed)?;
            encoder.finish().map_err(failed)
        }
    }
}

fn feed(
    context: &Context,
    block: &[u8],
    encoder: &mut impl Write,
    failed: impl Fn(IoError) -> TaskError,
) -> Result<(), TaskError> {
    for piece in block.chunks(PIECE_BYTES) {
        context.check()?;
        encoder.write_all(piece).map_err(&failed)?;
    }
    Ok(())
}

/// On the cpu lane: what follows depends on what was before, so one thread does it.
pub(super) fn decompress(context: &Context, way: &Way, max_bytes: u64) -> TaskResult {
    let (source, mut target) = Source::open(way)?;
    let meter = Meter::new(context, source.before.len());
    let mut decoder = Decoder::new(way, &source)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut written = 0;
    loop {
        context.check()?;
        let read = decoder.read(&mut chunk);
        let taken = decoder.taken();
        meter.add(taken - meter.done());
        let bytes = read.map_err(|error| broken(way, taken, source.before.len(), &error))?;
        if bytes == 0 {
            break;
        }
        written += bytes as u64;
        if written > max_bytes {
            return Err(TaskError::failed(format!(
                "more than {max_bytes} bytes come out of {}, which is as many as `max_bytes` allows; \
                 {taken} bytes of it were read",
                way.from.display()
            )));
        }
        target.write(&chunk[..bytes])?;
    }
    if meter.done() == 0 {
        return Err(empty(way));
    }
    drop(decoder);
    way.finish(&source, target)?;
    Ok(done(way, meter.done(), written, (written, meter.done())))
}

fn empty(way: &Way) -> TaskError {
    let from = way.from.display();
    TaskError::failed(format!("cannot decompress {from}: it is empty"))
}

fn broken(way: &Way, taken: u64, size: u64, error: &IoError) -> TaskError {
    if error.raw_os_error().is_some() {
        return cannot_read(&way.from, error);
    }
    if size == 0 {
        return empty(way);
    }
    let from = way.from.display();
    let format = way.format.as_str();
    TaskError::failed(if error.kind() == std::io::ErrorKind::UnexpectedEof {
        format!(
            "cannot decompress {from}: it ends at byte {size}, in the middle of its {format} data"
        )
    } else {
        format!("cannot decompress {from}: it is no good {format} data after byte {taken}: {error}")
    })
}

/// The result; `ratio` is how many times smaller the small one is, of `(large, small)`.
fn done(way: &Way, bytes_in: u64, bytes_out: u64, (large, small): (u64, u64)) -> Done {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a figure for people, with three digits"
    )]
    let ratio = match small {
        0 => Value::Null,
        _ => json!((large as f64 / small as f64 * 1000.0).round() / 1000.0),
    };
    Done::with(json!({
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "ratio": ratio,
        "to": way.to.to_string_lossy(),
    }))
}

/// Reads what a compressed file stands for.
enum Decoder<'a> {
    Zstd(Box<ZstdDecoder<'static, Counted<'a>>>),
    Gzip(Box<MultiGzDecoder<Counted<'a>>>),
}

impl<'a> Decoder<'a> {
    fn new(way: &Way, source: &'a Source) -> Result<Self, TaskError> {
        let counted = Counted {
            inner: BufReader::with_capacity(CHUNK_BYTES, &source.file),
            taken: 0,
        };
        Ok(match way.format {
            Compression::Zstd => {
                let decoder = ZstdDecoder::with_buffer(counted);
                let decoder = decoder.map_err(|error| cannot_read(&way.from, &error))?;
                Self::Zstd(Box::new(decoder))
            }
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(counted))),
        })
    }

    fn read(&mut self, chunk: &mut [u8]) -> Result<usize, IoError> {
        loop {
            let read = match self {
                Self::Zstd(decoder) => decoder.read(chunk),
                Self::Gzip(decoder) => decoder.read(chunk),
            };
            match read {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// How many bytes of the file have been made use of.
    fn taken(&self) -> u64 {
        match self {
            Self::Zstd(decoder) => decoder.get_ref().taken,
            Self::Gzip(decoder) => decoder.get_ref().taken,
        }
    }
}

/// Counts what a decoder has taken, which is less than what was read for it.
struct Counted<'a> {
    inner: BufReader<&'a File>,
    taken: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, chunk: &mut [u8]) -> Result<usize, IoError> {
        let read = self.inner.read(chunk)?;
        self.taken += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> Result<&[u8], IoError> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        self.taken += bytes as u64;
    }
}
