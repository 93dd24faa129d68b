import ArgumentParser
import Configuration
import Foundation
import Management

/// Which array a command talks to: `--socket`, then `GEMEL_SOCKET`, then the only one that runs.
struct SocketOptions: ParsableArguments {
    @Option(help: "Control socket of the pair (default: GEMEL_SOCKET, else the only array that runs).")
    var socket: String?

    /// The client. Throws 69 when nothing runs, 64 when several arrays do.
    func client() throws(StartError) -> ControlClient {
        let environment = ProcessInfo.processInfo.environment
        if let path = socket ?? environment["GEMEL_SOCKET"], !path.isEmpty { return ControlClient(socketPath: path) }
        let folder = RuntimeFolder.process
        let running = folder.arrays.compactMap { array in
            // The pair's socket knows both controllers; without a supervisor each knows itself.
            ["pair", "a", "b"].map { folder.controllerSocket(array: array, controller: $0) }.first(where: Self.answers)
        }
        switch running.count {
        case 1: return ControlClient(socketPath: running[0])
        case 0: throw StartError(.unavailable, "no array runs (looked in \(folder.base)); start one with gemel up")
        default:
            throw StartError(
                .usage,
                "several arrays run; choose one with --socket:\n"
                    + running.map { "  --socket \($0)" }.joined(separator: "\n"))
        }
    }

    private static func answers(_ path: String) -> Bool {
        (try? ControlClient(socketPath: path).request("GET", "/health", seconds: 1)) != nil
    }
}

extension ControlClient {
    /// A request of a command: a refusal is exit code 1, an absent array 69.
    func ask(
        _ method: String, _ path: String, _ body: [String: String]? = nil, lun: UInt16? = nil, seconds: Double = 5
    )
        throws(StartError) -> Answer
    {
        let answer: Answer
        do throws(Failure) {
            answer = try request(method, path, body: body.flatMap { Self.encoded($0, lun) }, seconds: seconds)
        } catch {
            throw Self.sentence(error, socketPath)
        }
        guard answer.status < 300 else { throw StartError(.refused, answer.message) }
        return answer
    }

    private static func encoded(_ body: [String: String], _ lun: UInt16?) -> Data? {
        var fields: [String: Any] = body
        if let lun { fields["lun"] = Int(lun) }
        return try? JSONSerialization.data(withJSONObject: fields)
    }

    private static func sentence(_ failure: Failure, _ path: String) -> StartError {
        switch failure {
        case .unreachable(let code) where [ENOENT, ECONNREFUSED].contains(code):
            StartError(.unavailable, "nothing listens on \(path); start the array with gemel up")
        case .unreachable(let code): StartError(.inputOutput, "\(path): \(String(cString: strerror(code)))")
        case .timedOut: StartError(.unavailable, "\(path) does not answer in time")
        case .malformed: StartError(.software, "\(path) gave an answer that is none of the API")
        case .pathTooLong: StartError(.usage, "\(path) is too long for a socket's path")
        }
    }

    /// The status of the pair.
    func pairStatus() throws(StartError) -> PairStatus {
        let answer = try ask("GET", "/status")
        guard let status = try? JSONDecoder().decode(PairStatus.self, from: answer.body) else {
            throw StartError(.software, "\(socketPath) gave a status that this version does not understand")
        }
        return status
    }
}
