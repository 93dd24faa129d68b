import Foundation

/// One run of the benchmark: everything is started once, then the cells are measured in interleaved rounds, so that
/// what the machine does meanwhile hits all columns alike.
final class Bench {
    let options: BenchOptions
    let folder: String
    let placement: Placement
    let unitMebibytes = 256
    /// The part of the unit that is used: it fits in every cache here.
    let spanMebibytes = 64
    private var ports: Set<Int> = []
    private(set) var contenders: [(contender: any Contender, urls: [String])] = []
    /// By column, why it is missing.
    private(set) var missing: [(name: String, reason: String)] = []
    /// By cell, by column.
    private(set) var samples: [Int: [String: [Sample]]] = [:]

    init(_ options: BenchOptions) throws {
        self.options = options
        folder = NSTemporaryDirectory() + "gemel-bench-\(getpid())"
        placement = Placement(pins: options.pins)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    var gemel: String { options.gemel }

    /// A program beside this one.
    func tool(_ name: String) -> String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent + "/" + name
    }

    /// A TCP port of the loopback that nobody has now and that this run has not given before.
    func freePort() throws -> Int {
        for _ in 0..<100 {
            if let port = Self.systemPort(), ports.insert(port).inserted { return port }
        }
        throw BenchError("no free port")
    }

    private static func systemPort() -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard bind(descriptor, generic, length) == 0, getsockname(descriptor, generic, &length) == 0 else {
                    return nil
                }
                return Int(UInt16(bigEndian: pointer.pointee.sin_port))
            }
        }
    }

    /// Starts what is there; what cannot be started is named in the report, not silently left out.
    func startAll() throws {
        let wanted: [any Contender] =
            [LimitContender(self)] + (options.tgt ? [TgtContender(self)] : [])
            + options.shapes.map { GemelContender(self, $0) }
        for contender in wanted {
            do {
                let urls = try contender.start()
                contenders.append((contender, urls))
                try fill(contender, urls)
            } catch {
                contender.stop()
                contenders.removeAll { $0.contender === contender }
                missing.append((contender.name, "\(error)"))
                if contender is LimitContender { throw error }
            }
        }
    }

    func stopAll() {
        contenders.forEach { $0.contender.stop() }
        if !options.keep { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// Writes the span once, so that reads find data and caches are warm.
    private func fill(_ contender: any Contender, _ urls: [String]) throws {
        _ = try load(
            contender, urls,
            ["--rw", "write", "--sequential", "--bs", "256k", "--qd", "4", "--ops", "\(spanMebibytes * 4)"])
    }

    private func load(_ contender: any Contender, _ urls: [String], _ words: [String]) throws -> Sample {
        let pids = contender.processes.map(String.init).joined(separator: ",")
        let command =
            [tool("gemel-load"), "--json", "--span", "\(spanMebibytes)m", "--recover", "3", "--pid", pids] + words
            + urls
        let output = try Child.run(placement.generator(command))
        guard let line = output.split(separator: "\n").last(where: { $0.hasPrefix("{") }) else {
            throw BenchError("gemel-load printed no figures: \(output)")
        }
        return try JSONDecoder().decode(Sample.self, from: Data(line.utf8))
    }

    /// Who takes part in a cell: the limit, the peer, and the product in the shape that the cell is about.
    func columns(of cell: Cell) -> [(contender: any Contender, urls: [String])] {
        contenders.filter { entry in (entry.contender as? GemelContender).map { $0.shape == cell.shape } ?? true }
    }

    func measureAll(_ progress: (String) -> Void) {
        let cells = options.cells
        for round in 1...options.rounds {
            for index in cells.indices {
                for (contender, urls) in columns(of: cells[index]) {
                    let times = ["--seconds", "\(options.seconds)", "--warmup", "\(options.warmup)"]
                    do {
                        let sample = try load(contender, urls, cells[index].load + times)
                        samples[index, default: [:]][contender.name, default: []].append(sample)
                    } catch {
                        missing.append(("\(contender.name), \(cells[index].name)", "\(error)"))
                    }
                }
            }
            progress("round \(round) of \(options.rounds) done")
        }
    }
}
