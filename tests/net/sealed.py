"""The sealed files of the bot (bot/store/seal.c) from Python, by libsodium itself: what a test needs to make a
backup that another version of the program would have made."""
import ctypes
import ctypes.util

MAGIC = b"alumhub sealed 1"
CHUNK = 64 * 1024
STATE, HEADER, EXTRA, FINAL = 52, 24, 17, 3
sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
sodium.sodium_init()
assert sodium.crypto_secretstream_xchacha20poly1305_statebytes() == STATE


def file_key(key):
    out = ctypes.create_string_buffer(32)
    sodium.crypto_kdf_derive_from_key(out, ctypes.c_size_t(32), ctypes.c_uint64(4), b"alumfile", key)
    return out.raw


def seal(key, plain):
    state, header = ctypes.create_string_buffer(STATE), ctypes.create_string_buffer(HEADER)
    sodium.crypto_secretstream_xchacha20poly1305_init_push(state, header, file_key(key))
    out, at, last = MAGIC + header.raw, 0, False
    while not last:
        piece = plain[at:at + CHUNK]
        at, last = at + CHUNK, len(piece) < CHUNK
        sealed = ctypes.create_string_buffer(len(piece) + EXTRA)
        sodium.crypto_secretstream_xchacha20poly1305_push(
            state, sealed, None, piece, ctypes.c_ulonglong(len(piece)), None, ctypes.c_ulonglong(0),
            ctypes.c_ubyte(FINAL if last else 0))
        out += sealed.raw
    return out


def unseal(key, sealed):
    state = ctypes.create_string_buffer(STATE)
    at = len(MAGIC) + HEADER
    assert sealed.startswith(MAGIC)
    assert not sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, sealed[len(MAGIC):at], file_key(key))
    out, tag = b"", ctypes.c_ubyte(0)
    while tag.value != FINAL:
        piece = sealed[at:at + CHUNK + EXTRA]
        at += CHUNK + EXTRA
        plain = ctypes.create_string_buffer(len(piece))
        n = ctypes.c_ulonglong(0)
        assert not sodium.crypto_secretstream_xchacha20poly1305_pull(
            state, plain, ctypes.byref(n), ctypes.byref(tag), piece, ctypes.c_ulonglong(len(piece)), None,
            ctypes.c_ulonglong(0))
        out += plain.raw[:n.value]
    return out
