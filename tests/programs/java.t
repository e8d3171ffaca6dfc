#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Java
# Needs: java
# Packages: openjdk-17-jdk-headless
# Shows: HttpServer, HttpClient, NIO with a selector, datagram channels, interfaces
. "$(dirname "$0")/lib.sh"

cat >Net.java <<'END'
import com.sun.net.httpserver.*; import java.net.*; import java.net.http.*; import java.nio.*; import java.nio.channels.*; import java.util.*;
public class Net {
	static void nio() throws Exception {
		var selector = Selector.open();
		var listener = ServerSocketChannel.open().bind(new InetSocketAddress(7000));
		listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
		var client = SocketChannel.open();
		client.configureBlocking(false);
		client.connect(new InetSocketAddress("localhost", 7000));
		client.register(selector, SelectionKey.OP_CONNECT);
		int got = 0, echoed = 0;
		for (long end = System.nanoTime() + 10_000_000_000L; echoed < 5 && System.nanoTime() < end;) {
			selector.select(1000);
			for (var key : selector.selectedKeys()) {
				if (key.isAcceptable()) listener.accept().configureBlocking(false).register(selector, SelectionKey.OP_READ, "server");
				else if (key.isConnectable()) { client.finishConnect(); client.write(ByteBuffer.wrap("hello".getBytes())); key.interestOps(SelectionKey.OP_READ); }
				else if (key.isReadable()) {
					var b = ByteBuffer.allocate(100);
					int n = ((SocketChannel) key.channel()).read(b);
					if (n > 0 && key.attachment() != null) { b.flip(); ((SocketChannel) key.channel()).write(b); got += n; }
					else if (n > 0) echoed += n;
				}
			}
			selector.selectedKeys().clear();
		}
		System.out.println("nio " + got + " " + echoed);
		var a = DatagramChannel.open().bind(new InetSocketAddress("localhost", 0));
		var u = DatagramChannel.open();
		u.send(ByteBuffer.wrap("datagram".getBytes()), a.getLocalAddress());
		var b = ByteBuffer.allocate(100);
		var from = (InetSocketAddress) a.receive(b);
		System.out.println("udp " + b.position() + " " + (from.getPort() == ((InetSocketAddress) u.getLocalAddress()).getPort()));
	}
	public static void main(String[] args) throws Exception {
		var s = HttpServer.create(new InetSocketAddress(8080), 0);
		s.createContext("/", x -> { x.sendResponseHeaders(200, 0); x.getResponseBody().write("own".getBytes()); x.close(); });
		s.start();
		var c = HttpClient.newHttpClient();
		for (var u : List.of("http://localhost:8080/", "http://web/index.html"))
			System.out.println(c.send(HttpRequest.newBuilder(URI.create(u)).build(), HttpResponse.BodyHandlers.ofString()).body());
		nio();
		System.out.println("interfaces " + Collections.list(NetworkInterface.getNetworkInterfaces()).size());
		try { new Socket("web", 81); } catch (ConnectException e) { System.out.println("refused"); }
		s.stop(0); System.exit(0);
	}
}
END
start_web
said=$(on java java -XX:TieredStopAtLevel=1 -Xshare:auto Net.java 2>&1)
like "$said" "^own" "HttpServer"
like "$said" "from the server" "HttpClient, by name"
like "$said" "nio 5 5" "NIO: accept, connect and read by a selector"
like "$said" "udp 8 true" "a datagram, and where it came from"
like "$said" "interfaces [2-9]" "interfaces"
like "$said" "refused" "an error's class"
finish
