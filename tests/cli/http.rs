//! The examples of requests, as they are shipped, against a server of the test's own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Barrier};

use rustix::process::Signal;

use crate::support::Place;

/// The port that the examples name.
const EXAMPLE: &str = "127.0.0.1:8080";

/// A server that answers when as many have asked as `together`; its address.
fn server(together: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let all = Arc::new(Barrier::new(together));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let all = Arc::clone(&all);
            std::thread::spawn(move || serve(&stream.unwrap(), &all));
        }
    });
    address
}

fn serve(mut stream: &TcpStream, all: &Barrier) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(n) = line.strip_prefix("content-length: ") {
            length = n.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    all.wait();
    let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    stream.write_all(answer).unwrap();
}

fn example(name: &str, address: &str) -> Place {
    let path = format!("{}/config/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(EXAMPLE));
    Place::with(&[("jobs.toml", &text.replace(EXAMPLE, address))])
}

/// Nobody is answered before the fifth has asked, so one after the other would never end.
#[test]
fn five_requests_wait_side_by_side() {
    let place = example("s05-requests.toml", &server(5));
    let finished = place.twolane(&["run", "jobs.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn a_download_is_there_for_what_comes_after() {
    let place = example("s11-download.toml", &server(1));
    let finished = place.twolane(&["run", "jobs.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        fs::read_to_string(place.path().join("in.png")).unwrap(),
        "hello"
    );
}

/// The first who asks gets half of an answer, and the others a whole one.
fn half_then_whole() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // An answer that comes before the request is none.
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            // Whoever was killed hears nothing.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
            if unanswered.is_empty() {
                unanswered.push(stream);
            } else {
                let _ = stream.write_all(b"hello");
            }
        }
    });
    address
}

#[test]
fn what_a_killed_daemon_has_left_of_a_file_is_gone_after_the_next_attempt() {
    let settings =
        "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";
    let job = format!(
        "[jobs.get]\nhttp = {{ url = \"http://{}/\", proxy = \"off\", save_to = \"out/page\" }}\nstart = \"boot\"\n",
        half_then_whole()
    );
    let place = Place::with(&[("twolane.toml", settings), ("jobs.toml", &job)]);
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&out).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        entries.map(|entry| name(entry.unwrap())).collect()
    };
    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("run 1 get: started");
    let begun = "for _ in $(seq 600); do [ -n \"$(ls -A)\" ] && exit; sleep 0.1; done";
    let mut waiting = Command::new("sh");
    waiting
        .args(["-c", begun])
        .current_dir(&out)
        .status()
        .unwrap();
    process.signal(Signal::KILL);
    process.finish();
    let left = names();
    assert!(left.len() == 1 && left[0].ends_with(".part"), "{left:?}");

    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("run 1 get: finished");
    assert_eq!(names(), ["page"]);
    assert_eq!(fs::read(out.join("page")).unwrap(), b"hellohello");
    process.signal(Signal::TERM);
    process.finish();
}
