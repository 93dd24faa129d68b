import CLinux
import Foundation
import Glibc

/// A process that the supervisor started: made, signalled, waited for by its pidfd, and reaped exactly once, so that a
/// signal can never reach another process that got its number.
struct ChildProcess {
    let pid: pid_t
    /// Readable when the process has ended.
    let pidfd: Int32

    /// How a process ended.
    enum Ending: Equatable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// Starts a program. It has a process group of its own (the terminal's Ctrl-C is for the supervisor, which then
    /// stops it in order), default signals, and none of our files but the three standard ones.
    ///
    /// The calling thread must live as long as the supervisor: a child that asked for the parent-death signal gets it
    /// when that thread ends. Throws errno.
    static func start(_ command: [String]) throws(Errno) -> ChildProcess {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        gemel_spawn_closefrom(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, command[0], &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw Errno(code: result) }
        let pidfd = gemel_pidfd_open(pid)
        guard pidfd >= 0 else {
            let code = -pidfd
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw Errno(code: code)
        }
        _ = fcntl(pidfd, F_SETFD, FD_CLOEXEC)
        return ChildProcess(pid: pid, pidfd: pidfd)
    }

    /// Collects the ended process; nil while it lives. After an ending the value is used no more.
    func reap() -> Ending? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        close(pidfd)
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Whether it is stopped by a signal now, by the kernel's word (proc(5), state of /proc/PID/stat).
    var isStopped: Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return false }
        let state = stat[stat.index(after: end)...].first { $0 != " " }
        return state == "T" || state == "t"
    }
}

/// An error number of the system.
package struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    package var code: Int32
    package init(code: Int32) { self.code = code }
    package var description: String { String(cString: strerror(code)) }
}

/// `environ` of the C library, which Swift 6 sees as shared mutable state: nothing here changes it.
private var environ: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? { gemel_environment() }
