import CLinux
import Devices
import Glibc

/// Why a controller's process cannot start. Nothing has been changed when it is thrown, save files that were missing.
package struct RuntimeError: Error, Equatable, CustomStringConvertible {
    /// Exit codes of the process (sysexits).
    package enum ExitCode: Int32, Sendable {
        /// A device, memory or secret file is missing or too short.
        case noInput = 66
        /// Something that must run does not.
        case unavailable = 69
        /// A bug of ours.
        case software = 70
        /// The kernel answered with an I/O error, or a file system is full.
        case ioError = 74
        /// It runs already, or a port is taken.
        case temporary = 75
        /// The configuration cannot be right.
        case configuration = 78
    }
    package var exitCode: ExitCode
    /// A whole sentence: what was wrong, where, and what would be right.
    package var description: String

    package init(_ exitCode: ExitCode, _ description: String) {
        self.exitCode = exitCode
        self.description = description
    }

    /// The same for a device.
    init(_ error: DeviceError) {
        exitCode =
            switch error.kind {
            case .missing, .tooShort: .noInput
            case .unsuitable: .configuration
            case .exists, .spaceExhausted, .failed: .ioError
            }
        description = error.description
    }

    /// A failed call on a path; `code` is an errno.
    static func failed(_ what: String, _ code: Int32) -> RuntimeError {
        RuntimeError(.ioError, "\(what): \(String(cString: strerror(code)))")
    }
}
