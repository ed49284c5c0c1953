"""TLS in front of a plain server on loopback: bytes in, bytes out, a thread a direction."""
import os
import socket
import ssl
import subprocess
import threading


class TlsRelay:
    """`port` is where TLS is spoken, `plain` where it leads (0: a free port); `folder` will hold the certificate
    under its hash."""

    def __init__(self, folder, plain=0):
        self.folder = os.path.abspath(folder)
        key, certificate = os.path.join(folder, "tls.key"), os.path.join(folder, "tls.pem")
        os.makedirs(folder, exist_ok=True)
        for words in (["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                       "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                       "-out", certificate], ["rehash", folder]):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as s:  # free, and soon another's
            self.plain = plain or s.getsockname()[1]
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.join, args=(s,), daemon=True).start()

    def join(self, s):
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self.context.wrap_socket(s, server_side=True)
            plain = socket.create_connection(("127.0.0.1", self.plain))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            s.close()
            return
        threading.Thread(target=self.pour, args=(tls, plain), daemon=True).start()
        self.pour(plain, tls)

    @staticmethod
    def pour(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
