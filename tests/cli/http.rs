//! The examples of requests, as they are shipped, against a server of the test's own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};

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
