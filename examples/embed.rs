//! The two lanes inside a program of one's own, which has a tokio runtime already: named pools,
//! progress, cancel, timeout, errors, and an end in order.
//!
//! `cargo run --release --example embed`

#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use twolane::{Context, Lane, Lanes, Stopped, TaskError};

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread()
        .build()?
        .block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let lanes = Lanes::builder()
        .pool("thumbs", Lane::Cpu, 1)
        .pool("mirror", Lane::Io, 2)
        .queue(1_000)
        .build()?;

    // Three pictures, one at a time, while the rest of the cpu lane is free for others.
    let thumbs = lanes.pool("thumbs")?;
    let pictures: Vec<_> = (1..=3)
        .map(|picture| thumbs.cpu(move |context| shrink(context, picture)))
        .collect();

    // Waits on the io lane do not feel that.
    let mirror = lanes.pool("mirror")?;
    let answer = mirror.io_with(|context| async move {
        context.sleep(Duration::from_millis(3)).await?;
        Ok::<_, Stopped>("200 OK")
    });
    println!("mirror: {}", answer.await??);
    for picture in pictures {
        println!("picture: {} bytes", picture.await??);
    }

    // A task says how far it is, and obeys when it is told to stop.
    let long = lanes.cpu(|context| shrink(context, 1_000_000));
    let watch = long.watch();
    let far = lanes.io_with(|context| async move {
        while watch.progress().is_none() {
            context.sleep(Duration::from_millis(1)).await?;
        }
        watch.cancel();
        Ok::<_, Stopped>(watch.progress())
    });
    println!("cancelled at: {:?}", far.await??);
    println!("cancelled: {:?}", long.await?);

    // A future that takes too long is dropped where it waits.
    let slow = lanes.io(std::future::pending::<()>());
    let late = slow.timeout(Duration::from_millis(10)).await;
    println!("timeout: {late:?}");

    // A panic is an error like any other.
    match lanes.cpu(|_| -> u32 { panic!("out of ink") }).await {
        Err(TaskError::Panicked(message)) => println!("panic: {message}"),
        other => println!("no panic: {other:?}"),
    }

    lanes.shutdown(Duration::from_secs(5)).await?;
    println!("all done");
    Ok(())
}

/// Computes for a while, the longer the larger the picture is.
fn shrink(context: &Context, picture: u64) -> Result<u64, Stopped> {
    let mut bytes = 0_u64;
    for row in 0..picture * 100 {
        context.check()?;
        context.progress(row as f64 / (picture * 100) as f64, "");
        for n in 0..10_000 {
            bytes = black_box(bytes.wrapping_add(n % 251));
        }
    }
    Ok(bytes)
}
