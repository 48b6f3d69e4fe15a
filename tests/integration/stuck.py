# SPDX-License-Identifier: Apache-2.0
"""Makes a healthy process hang where it is, as a broken driver or a bug would: its main thread goes on in an endless loop, or
sleeps for good. Linux on x86-64."""
import ctypes
import os
import platform
import signal
import time

ATTACH, DETACH, GET_REGISTERS, POKE_TEXT, PEEK_TEXT = 16, 17, 12, 4, 1
RIP = 16  # of struct user_regs_struct, in words
CODE = {
    "spinning": bytes.fromhex("ebfe"),  # here: jmp here
    "asleep": bytes.fromhex("b8220000000f05ebf7"),  # here: mov eax, SYS_pause; syscall; jmp here
}
CAN = platform.machine() == "x86_64"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"ptrace {request} of {pid}")
    return result


def make(pid, kind, is_right_moment, deadline_s=60):
    """Stops the main thread again and again until it is the right moment, and lets it go on into the code of `kind`."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        ptrace(ATTACH, pid)
        os.waitpid(pid, 0x40000000)  # __WALL: it has stopped
        if is_right_moment():
            registers = (ctypes.c_ulonglong * 27)()
            ptrace(GET_REGISTERS, pid, None, ctypes.addressof(registers))
            code = CODE[kind]
            for at in range(0, len(code), 8):
                old = ptrace(PEEK_TEXT, pid, registers[RIP] + at) & (2**64 - 1)
                word = code[at:at + 8] + old.to_bytes(8, "little")[len(code[at:at + 8]):]
                ptrace(POKE_TEXT, pid, registers[RIP] + at, int.from_bytes(word, "little"))
            ptrace(DETACH, pid)
            return
        ptrace(DETACH, pid)
        time.sleep(0.003)
    raise AssertionError(f"process {pid} never was where it should be made to hang")
