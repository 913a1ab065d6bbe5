//! A wait and two computations at once, as in asyncio with `run_in_executor`: each computation has a
//! core of its own, and the wait ends when its time is over, whatever the cores do.
//!
//! `cargo run --release --example run_in_executor`; it takes 20 seconds.

#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use jiff::Zoned;
use twolane::{Context, Lanes, Stopped};

fn main() -> Result<(), Box<dyn Error>> {
    let lanes = Lanes::new()?;
    let computer = lanes.cpu(|context| compute(context, "普通计算密集型任务", 500));
    let computer2 = lanes.cpu(|context| compute(context, "普通CPU密集型任务", 5_000));
    let read = lanes.io_with(read_file);
    read.wait()??;
    computer.wait()??;
    computer2.wait()??;
    Ok(())
}

/// Stands for any work that needs nothing but a processor.
fn compute(context: &Context, name: &str, inner: i64) -> Result<i64, Stopped> {
    say(name);
    let mut sum = 0;
    for i in 0..1_000_000_i64 {
        if i > 0 && i % 250_000 == 0 {
            say(&format!("{name}正在执行"));
        }
        context.check()?;
        for j in 0..inner {
            // Opaque to the compiler, which would otherwise compute nothing.
            sum = black_box(sum + i + j - 2 * j);
        }
    }
    say(&format!("{name}完成"));
    Ok(sum)
}

async fn read_file(context: Context) -> Result<(), Stopped> {
    say("async读文件开始");
    context.sleep(Duration::from_secs(20)).await?;
    say("async读文件完成");
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own reads the clock where it likes"
)]
fn say(text: &str) {
    println!("{text}: {}", Zoned::now().strftime("%F %T%.6f"));
}
