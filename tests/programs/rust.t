#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Rust
# Needs: rustc
# Packages: rustc
# Shows: std::net: a server of threads, a thousand lines, UDP, a timeout
. "$(dirname "$0")/lib.sh"

cat >net.rs <<'END'
use std::{io::*, net::*, thread, time::Duration};
fn main() {
    let l = TcpListener::bind("0.0.0.0:7000").unwrap();
    thread::spawn(move || for c in l.incoming() { thread::spawn(move || { let mut c = c.unwrap(); let mut r = c.try_clone().unwrap(); copy(&mut r, &mut c).ok(); }); });
    let mut c = TcpStream::connect(("localhost", 7000)).unwrap();
    for i in 0..1000 { writeln!(c, "{}", i).unwrap(); }
    c.shutdown(Shutdown::Write).unwrap();
    println!("lines {}", BufReader::new(c).lines().count());
    let u = UdpSocket::bind("127.0.0.1:0").unwrap();
    u.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    println!("timeout {:?}", u.recv_from(&mut [0; 9]).unwrap_err().kind());
    u.send_to(b"me", u.local_addr().unwrap()).unwrap();
    println!("udp {}", u.recv_from(&mut [0; 9]).unwrap().0);
    println!("names {}", ("web", 80).to_socket_addrs().unwrap().count() > 0);
}
END
start_web
rustc -o netrs net.rs >build.log 2>&1 || skip_all "rustc does not run here"
said=$(on rs ./netrs 2>&1)
like "$said" "lines 1000" "a thousand lines come back"
like "$said" "timeout WouldBlock" "a timeout"
like "$said" "udp 2" "a datagram to itself"
like "$said" "names true" "names"
finish
