import Foundation
import Glibc

/// What `gemel status --output json` says, as far as the tests look.
struct ArrayStatus: Decodable {
    struct Controller: Decodable {
        struct Session: Decodable {
            var initiator: String
            var connections: Int
            var commands: UInt64
        }
        struct Own: Decodable {
            var state: String
            var serving: Bool
            var maintenance: Bool
            var sessions: [Session]
            var messagesSent: [String: UInt64]
            var copiedBytes: [String: UInt64]
        }
        var name: String
        var pid: Int32?
        var process: String
        var status: Own?
    }
    var ready: Bool
    var redundant: Bool
    var epoch: UInt32
    var controllers: [Controller]
}

/// What gemel-load says.
struct LoadResult: Decodable {
    var operations: UInt64
    var errors: UInt64
    var mismatches: UInt64
    var blocksChecked: UInt64
    var longestGapMilliseconds: Double
    var complaints: [String]
}

/// An array that runs: `gemel up` with a configuration of its own. Everything it made goes away with it.
final class RunningArray {
    static let target = "iqn.2026-11.io.gemel:test"
    /// The first target of this array.
    let target: String
    let name = Product.arrayName()
    let folder: String
    let configurationFile: String
    let ports: [String: Int]
    let host: String
    private var supervisor: Program?

    var socket: String {
        let base = geteuid() == 0 ? "/run/gemel" : "\(folder)/run/gemel"
        return "\(base)/\(name)/pair.sock"
    }
    var environment: [String: String] { geteuid() == 0 ? [:] : ["XDG_RUNTIME_DIR": "\(folder)/run"] }

    /// Writes the configuration; `start` follows.
    /// - Parameters:
    ///   - controllers: names of the controllers.
    ///   - units: more units than LUN 0, after a comma, as YAML; they have 8 MiB.
    ///   - more: lines of YAML to add.
    ///   - device: the device's mapping in YAML.
    ///   - target: the target's mapping in YAML.
    ///   - host: address of the portals, IPv6 in brackets.
    ///   - memory: a controller's memory mapping in YAML.
    init(
        controllers: [String] = ["a", "b"], unitMebibytes: Int = 64, units: String = "", more: String = "",
        device: String? = nil, memory: String = "{size: 128MiB}", target: String = "{}", host: String = "127.0.0.1"
    ) throws {
        self.host = host
        self.target = Self.target
        folder = NSTemporaryDirectory() + name
        try FileManager.default.createDirectory(atPath: "\(folder)/run", withIntermediateDirectories: true)
        configurationFile = "\(folder)/array.yaml"
        var ports: [String: Int] = ["management": try Product.freePort()]
        var lines = ""
        for controller in controllers {
            let portal = try Product.freePort()
            let channel = try Product.freePort()
            ports[controller] = portal
            ports["channel \(controller)"] = channel
            lines += "  \(controller): {portals: [\"\(host):\(portal)\"], channel: \"127.0.0.1:\(channel)\","
            lines += " memory: \(memory)}\n"
        }
        self.ports = ports
        let text = """
            array: {name: \(name)}
            devices: {disk0: \(device ?? "{size: \(unitMebibytes + 16)MiB}")}
            storage: {pool0: {members: [disk0]}}
            logical_units: {0: {pool: pool0, size: \(unitMebibytes)MiB}\(units)}
            targets: {"\(Self.target)": \(target)}
            management: "127.0.0.1:\(ports["management"] ?? 0)"
            controllers:
            \(lines)\(more)
            """
        try text.write(toFile: configurationFile, atomically: true, encoding: .utf8)
    }

    /// A configuration that is given whole, with `array: {name: …}` in it, which is replaced.
    init(text: String, ports: [String: Int], target: String) throws {
        host = "127.0.0.1"
        self.target = target
        folder = NSTemporaryDirectory() + name
        try FileManager.default.createDirectory(atPath: "\(folder)/run", withIntermediateDirectories: true)
        configurationFile = "\(folder)/array.yaml"
        self.ports = ports
        let management = "management: \"127.0.0.1:\(try Product.freePort())\"\n"
        try (text.replacing(/array: \{name: [a-z-]+\}/, with: "array: {name: \(name)}") + management)
            .write(toFile: configurationFile, atomically: true, encoding: .utf8)
    }

    /// What the processes have said so far.
    var log: String { supervisor?.log ?? "" }

    deinit {
        supervisor?.end(after: 15)
        for controller in ["a", "b"] { unlink("/dev/shm/gemel-\(name)-\(controller).memory") }
        try? FileManager.default.removeItem(atPath: (socket as NSString).deletingLastPathComponent)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The command that runs this array.
    func upCommand() throws -> [String] {
        [try Product.gemel(), "up", configurationFile, "--state", "\(folder)/state"]
    }

    /// Starts it and waits until it serves; with two controllers, until both memories hold everything.
    func start() throws {
        let program = try Program(try upCommand(), folder: folder, environment: environment)
        supervisor = program
        try program.waitForLine("READY", seconds: 20)
        if ports["b"] != nil { try waitUntilRedundant(seconds: 20) }
    }

    /// Runs `gemel up` a second time and returns how it ended.
    func startAgain() throws -> Program.Outcome {
        try Program.run(try upCommand(), folder: folder, seconds: 20, environment: environment)
    }

    /// Stops it cleanly and returns how it ended.
    func stop() throws -> Program.Outcome {
        guard let supervisor else { throw Failure("\(name) was not started") }
        Glibc.kill(supervisor.pid, SIGTERM)
        return try supervisor.wait(seconds: 20)
    }

    /// Ends it as a power failure of the processes would: nothing is written back, memory files stay.
    func kill() throws {
        guard let supervisor else { throw Failure("\(name) was not started") }
        Glibc.kill(supervisor.pid, SIGKILL)
        _ = try supervisor.wait(seconds: 10)
        // The kernel kills the controllers with it; their locks and ports go with them.
        usleep(300_000)
    }

    func portal(_ controller: String) -> String { "\(host):\(ports[controller] ?? 0)" }

    func url(_ controller: String, lun: Int = 0) -> String { "iscsi://\(portal(controller))/\(target)/\(lun)" }

    /// Runs a `gemel` command against this array; the output when it ends with 0.
    @discardableResult
    func command(_ words: String...) throws -> String {
        let all = [try Product.gemel()] + words + ["--socket", socket]
        let outcome = try Program.run(all, folder: folder, seconds: 20, environment: environment)
        guard outcome.status == 0 else { throw Failure("\(words) exited with \(outcome.status): \(outcome.output)") }
        return outcome.output
    }

    func status() throws -> ArrayStatus {
        let text = try command("status", "--output", "json")
        guard let begin = text.firstIndex(of: "{") else { throw Failure("status is no JSON: \(text)") }
        return try JSONDecoder().decode(ArrayStatus.self, from: Data(text[begin...].utf8))
    }

    /// Process id of a controller that runs.
    func pid(_ controller: String) throws -> Int32 {
        guard let pid = try status().controllers.first(where: { $0.name == controller })?.pid else {
            throw Failure("controller \(controller) of \(name) does not run")
        }
        return pid
    }

    /// Sessions of a controller.
    func sessions(_ controller: String) throws -> [ArrayStatus.Controller.Session] {
        try status().controllers.first { $0.name == controller }?.status?.sessions ?? []
    }

    func waitUntilRedundant(seconds: Double) throws {
        let end = Date().addingTimeInterval(seconds)
        var last: ArrayStatus?
        while Date() < end {
            last = try? status()
            if last?.redundant == true { return }
            usleep(100_000)
        }
        let states = last?.controllers.map { "\($0.name) \($0.process) \($0.status?.state ?? "-")" } ?? []
        throw Failure("\(name) was not redundant after \(seconds) s: \(states); \(supervisor?.log.suffix(2000) ?? "")")
    }
}
