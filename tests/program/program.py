#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program from outside: messages, exit status, the terminal, the background.

Each test is a function; its first line is the sentence that is printed. No network, no root.
"""
import fcntl, os, pty, re, select, signal, subprocess, sys, tempfile, termios, time

PROGRAM = os.path.abspath(sys.argv[1])
BARE = ["-machine", "none", "-accel", "qtest"]


def run(*args):
    r = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20,
                       stdin=subprocess.DEVNULL)
    return r.returncode, r.stdout, r.stderr


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *args):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            for number in [signal.SIGINT, signal.SIGHUP, signal.SIGTERM]:  # nohup and shells' & ignore some
                signal.signal(number, signal.SIG_DFL)
            os.execv(PROGRAM, [PROGRAM, *args])

    def raw(self):
        return until(lambda: termios.tcgetattr(self.slave) != self.before)

    def keys(self, keys):
        os.write(self.master, keys)

    def shows(self, text, seconds=10):
        def seen():
            while select.select([self.master], [], [], 0)[0]:
                self.text += os.read(self.master, 4096).decode()
            return text in self.text
        return until(seen, seconds)

    def ends(self):
        """Its exit status, once the terminal is as it was; else None."""
        ended = []

        def gone():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            ended.append(os.waitstatus_to_exitcode(status))
            return pid
        if not until(gone):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return None
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return ended[-1] if restored else None


def test_sentence():
    """a wrong option is one sentence with the value and a hint, exit status 1"""
    status, out, err = run("-m", "some")
    assert status == 1 and out == ""
    assert err == "rhea-system-x86_64: -m: memory.size=some: wants a size, as 64K\n", err


def test_wrong_engine_option():
    """a wrong option of the software engine is named with its value, exit status 1"""
    for option, why in [("window=perhaps", "wants one of auto, on, off"),
                        ("thread=many", "wants one of multi, single"),
                        ("one-insn-per-tb=maybe", "wants on or off"),
                        ("tb-size=some", "wants a size, as 64K"), ("tb-size=-1", "not between 0 and 1073741824"),
                        ("tb-size=1025", "at most 1024 MB"), ("x-stir=often", "wants a number"),
                        ("x-window=never", "wants one of off, always, early"),
                        ("x-window-check=on", "compares for one vCPU only, not for 2")]:
        status, out, err = run("-accel", "tcg," + option, "-smp", "2", "-display", "none")
        assert status == 1 and out == "", option
        assert f"tcg: {option}: {why}\n" in err, err
    _, _, err = run("-accel", "tcg,x-window-check=on", "-smp", "1,maxcpus=4", "-display", "none")
    assert "tcg: x-window-check=on: compares for one vCPU only, not for 4\n" in err, err


def test_small_cache():
    """tb-size=0 leaves the size to the engine; 1 is enough to greet, with the window, too"""
    for options in ["tb-size=0", "tb-size=1", "tb-size=1,window=on", "tb-size=1,x-window=always,one-insn-per-tb=on"]:
        t = Terminal("-accel", "tcg," + options, "-m", "64", "-nographic")
        assert t.shows("SeaBIOS"), options
        t.keys(b"\x01x")
        assert t.ends() == 0


def test_help():
    """help and version go to stdout, exit status 0"""
    for option in ["-help", "--help", "-h", "-version"]:
        status, out, err = run(option)
        assert status == 0 and out and err == ""
    for option in ["-machine", "-device", "-object", "-accel", "-cpu", "-chardev", "-d", "-trace"]:
        status, out, err = run(option, "help")
        assert status == 0 and out and err == "", option


def test_escape():
    """Ctrl-A h helps, Ctrl-A x ends with status 0, the terminal is given back"""
    t = Terminal(*BARE, "-nographic")
    assert t.raw()
    t.keys(b"\x01h")
    assert t.shows("Ctrl-A x    end the machine")
    t.keys(b"\x01x")
    assert t.ends() == 0


def test_monitor_on_terminal():
    """-nographic with a serial port elsewhere gives the terminal to the monitor; Ctrl-C ends, in words"""
    t = Terminal(*BARE, "-nographic", "-serial", "null")
    assert t.shows("(qemu) ")
    t.keys(b"\x03")
    assert t.shows("ending on signal 2")
    assert t.ends() == 0
    for more in [["-monitor", "none"], ["-nodefaults"], ["-serial", "stdio"]]:
        with tempfile.TemporaryDirectory() as folder:
            t = Terminal(*BARE, "-nographic", "-serial", "null", *more, "-pidfile", folder + "/pid")
            assert until(lambda: os.path.exists(folder + "/pid"))
            os.kill(t.pid, signal.SIGTERM)
            assert t.shows("ending on signal 15") and "(qemu)" not in t.text, more
            assert t.ends() == 0


def test_signals():
    """SIGTERM, SIGINT and SIGHUP give the terminal back"""
    for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
        t = Terminal(*BARE, "-nographic")
        assert t.raw()
        os.kill(t.pid, number)
        assert t.ends() == 0


def test_late_failure():
    """a failure after the terminal became raw gives it back, too"""
    t = Terminal(*BARE, "-serial", "stdio", "-device", "isa-debugcon")
    assert t.ends() == 1


def test_daemon():
    """-daemonize returns when the machine is ready; the process id file is locked and removed"""
    with tempfile.TemporaryDirectory() as folder:
        pid_file = folder + "/pid"
        status, out, err = run(*BARE, "-nographic", "-daemonize", "-pidfile", pid_file)
        assert status == 1 and "-nographic cannot be used" in err
        status, out, err = run(*BARE, "-S", "-nodefaults", "-display", "none", "-daemonize",
                               "-pidfile", pid_file)
        assert status == 0, err
        pid = int(open(pid_file).read())
        status, out, err = run(*BARE, "-pidfile", pid_file)
        assert status == 1 and "another process holds it" in err
        os.kill(pid, signal.SIGTERM)
        assert until(lambda: not os.path.exists(pid_file))


def test_daemon_relative():
    """relative names of the process id file and of sockets are removed in the end"""
    with tempfile.TemporaryDirectory() as folder:
        r = subprocess.run([PROGRAM, *BARE, "-daemonize", "-pidfile", "pid", "-serial",
                            "unix:sock,server=on,wait=off"], cwd=folder, stdin=subprocess.DEVNULL)
        assert r.returncode == 0 and sorted(os.listdir(folder)) == ["pid", "sock"]
        os.kill(int(open(folder + "/pid").read()), signal.SIGTERM)
        assert until(lambda: not os.listdir(folder))


def test_daemon_fails():
    """a machine that cannot start in the background fails in the foreground"""
    status, out, err = run("-accel", "qtest", "-bios", "/nowhere", "-daemonize")
    assert status == 1 and "/nowhere" in err


def test_firmware():
    """SeaBIOS greets on the terminal, and Ctrl-A x leaves"""
    if not os.path.exists("/usr/share/seabios/bios-256k.bin"):
        return "SeaBIOS is not installed"
    t = Terminal("-accel", "tcg", "-m", "64", "-nographic")
    assert t.shows("SeaBIOS (version", 60)
    t.keys(b"\x01x")
    assert t.ends() == 0


def test_log():
    """-D takes the log, and the name may hold the process id"""
    with tempfile.TemporaryDirectory() as folder:
        p = subprocess.Popen([PROGRAM, *BARE, "-D", folder + "/log-%d", "-d", "int"],
                             stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert until(lambda: os.path.exists("%s/log-%d" % (folder, p.pid)))
        p.terminate()
        assert p.wait() == 0


def in_pieces(folder):
    """A boot ROM: a loop of 16-bit code in two pieces, at f000:0 and f000:100."""
    rom = bytearray(1 << 16)
    rom[0:4] = b"\x41\xe9\xfc\x00"  # inc cx; jmp 0x100
    rom[0x100:0x104] = b"\x42\xe9\xfc\xfe"  # inc dx; jmp 0
    rom[0xfff0:0xfff5] = b"\xea\x00\x00\x00\xf0"
    with open(folder + "/rom", "wb") as file:
        file.write(rom)
    return ["-accel", "tcg", "-m", "8", "-nographic", "-serial", "null", "-monitor", "stdio", "-bios", folder + "/rom"]


def entered(t):
    """How often the loop in C has gone to translated code; None: nothing is translated here."""
    begin = len(t.text)
    t.keys(b"info jit\r")

    def answer():
        t.shows("", 0)
        return re.search("instructions interpreted.*?\r\n(.*)\\(qemu\\) $", t.text[begin:], re.S)
    assert until(answer), t.text
    found = re.search("translated code entered ([0-9]+) times", t.text[begin:])
    return int(found.group(1)) if found else None


def stays(t):
    """Is it left for not much more than to answer?"""
    return entered(t) + 100 > entered(t)


def test_log_of_code():
    """-d in_asm and out_asm show guest code and what it becomes; op says that there is nothing between"""
    with tempfile.TemporaryDirectory() as folder:
        t = Terminal(*in_pieces(folder), "-d", "in_asm,out_asm,op", "-D", folder + "/log")
        assert t.shows("(qemu) ")
        skip = entered(t) is None

        def log():
            with open(folder + "/log") as file:
                return file.read()
        assert until(lambda: "0x100:  inc dx\n0x101:  jmp 0x0000" in log()), log()
        assert skip or until(lambda: "OUT: 0x100, " in log()), log()
        assert "op: this translator has no intermediate form" in log()
        t.keys(b"quit\r")
        assert t.ends() == 0


def test_nochain():
    """code that runs is linked and stays, until `log nochain` has it come back; `log none` lets it stay again"""
    with tempfile.TemporaryDirectory() as folder:
        t = Terminal(*in_pieces(folder))
        assert t.shows("(qemu) ")
        if entered(t) is None:
            return "this host's CPU lacks what translating needs"
        assert until(lambda: entered(t) > 0 and stays(t))
        before = entered(t)
        t.keys(b"log nochain\r")
        assert until(lambda: entered(t) > before + 100000)
        t.keys(b"log none\r")
        assert until(lambda: stays(t))
        t.keys(b"quit\r")
        assert t.ends() == 0


def main():
    failed = skipped = 0
    tests = [f for name, f in sorted(globals().items()) if name.startswith("test_")]
    for test in tests:
        try:
            why = test()
            skipped += why is not None
            print("skip program: %s: %s" % (test.__doc__, why) if why else
                  "ok   program: %s" % test.__doc__)
        except AssertionError as e:
            failed += 1
            print("FAIL program:", test.__doc__, e, "line", e.__traceback__.tb_next.tb_lineno)
    print("%d tests, %d failed, %d skipped" % (len(tests), failed, skipped))
    return failed > 0


sys.exit(main())
