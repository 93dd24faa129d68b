import Foundation

/// The product: `gemel up` with a configuration of its own, on free ports, with its state in a folder that goes away.
final class GemelContender: Contender {
    /// What the array is.
    enum Shape: String {
        /// One controller, write-back in its own memory.
        case single
        /// Two controllers, each write mirrored by DMA copy, or by messaging copy.
        case mirroredDMA
        case mirroredMessaging
    }

    let shape: Shape
    private let bench: Bench
    private var child: Child?
    private var controllers: [Int32] = []

    init(_ bench: Bench, _ shape: Shape) {
        self.bench = bench
        self.shape = shape
    }

    var name: String {
        switch shape {
        case .single: "gemel"
        case .mirroredDMA: "gemel dma"
        case .mirroredMessaging: "gemel msg"
        }
    }
    var processes: [Int32] { Array(controllers.prefix(1)) }
    var partners: [Int32] { Array(controllers.dropFirst()) }
    private var folder: String { "\(bench.folder)/\(shape.rawValue)" }
    private var array: String { "bench-\(getpid())-\(shape.rawValue.lowercased())" }
    static let target = "iqn.2026-11.io.gemel:bench"

    func start() throws -> [String] {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let ports = try (0..<5).map { _ in try bench.freePort() }
        let file = "\(folder)/array.yaml"
        try configuration(ports).write(toFile: file, atomically: true, encoding: .utf8)
        let started = try Child(
            "gemel-\(shape.rawValue)",
            bench.placement.target([bench.gemel, "up", file, "--state", "\(folder)/state"]), folder: bench.folder)
        child = started
        try started.waitForLine("READY", seconds: 20)
        controllers = named("a") + named("b")
        guard controllers.count == (shape == .single ? 1 : 2) else {
            throw BenchError("\(name): expected processes of its controllers, found \(controllers)")
        }
        partners.forEach { bench.placement.move($0, toGeneratorSide: true) }
        return ["iscsi://127.0.0.1:\(ports[0])/\(Self.target)/0"]
    }

    /// Processes `… serve … --controller NAME` below the supervisor.
    private func named(_ controller: String) -> [Int32] {
        guard let child else { return [] }
        return Child.children(of: child.pid).filter { "\($0.command) ".contains(" --controller \(controller) ") }
            .map(\.pid)
    }

    private func configuration(_ ports: [Int]) -> String {
        let copy = shape == .mirroredMessaging ? "[messaging]" : "[dma, messaging]"
        let partner = """
              b: {portals: ["127.0.0.1:\(ports[1])"], channel: "127.0.0.1:\(ports[3])", memory: {size: 512MiB}}
            """
        return """
            array: {name: \(array)}
            devices: {disk0: {size: \(bench.unitMebibytes + 16)MiB}}
            storage: {pool0: {members: [disk0]}}
            policies:
              bench: {rows: [{write: back, alone: back, destage: 1s, copy: \(copy)}]}
            logical_units: {0: {pool: pool0, policy: bench, size: \(bench.unitMebibytes)MiB}}
            targets: {"\(Self.target)": {}}
            management: "127.0.0.1:\(ports[4])"
            controllers:
              a: {portals: ["127.0.0.1:\(ports[0])"], channel: "127.0.0.1:\(ports[2])", memory: {size: 512MiB}}
            \(shape == .single ? "" : partner)

            """
    }

    func stop() {
        child?.stop(seconds: 10)
        Self.removeMemory(of: array)
    }

    /// Memory files outlive their controllers, as they should; those of a benchmark nobody wants.
    static func removeMemory(of array: String) {
        for controller in ["a", "b"] { unlink("/dev/shm/gemel-\(array)-\(controller).memory") }
    }
}
