import Configuration
import Foundation
import Management
import Synchronization

/// Serves the API on tasks beside a thread that does something else. Returns when every listener takes requests.
enum APIListeners {
    /// Throws when one cannot listen. One that fails later says so, and the rest goes on.
    static func start(_ service: any ManagementService, on addresses: [ManagementServer.Address]) throws(StartError) {
        for address in addresses {
            let outcome = Outcome()
            Task.detached {
                do {
                    let server = try ManagementServer(address, service: service)
                    let task = Task { try await server.run() }
                    do {
                        try await server.untilListening()
                        outcome.set(nil)
                    } catch {
                        task.cancel()
                    }
                    try await task.value
                } catch {
                    if !outcome.set("\(error)") { Console.complain("gemel: management on \(address) ended: \(error)") }
                }
            }
            if let failure = outcome.wait() {
                throw StartError(.inputOutput, "management cannot listen on \(address): \(failure)")
            }
        }
    }

    /// How a listener started: set once, waited for by the starting thread.
    private final class Outcome: Sendable {
        private let done = DispatchSemaphore(value: 0)
        private let value = Mutex<String??>(nil)

        /// False when it was set already.
        @discardableResult
        func set(_ failure: String?) -> Bool {
            let first = value.withLock { value in
                guard value == nil else { return false }
                value = .some(failure)
                return true
            }
            if first { done.signal() }
            return first
        }

        /// What went wrong; nil when it listens.
        func wait() -> String? {
            done.wait()
            return value.withLock { $0 ?? nil }
        }
    }
}
