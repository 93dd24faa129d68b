import Foundation
import Testing

extension Acceptance {
    /// Every file of `targets/` that people start from serves: with ports and a name of its own it comes up, and a
    /// host reads the capacity of the first unit through each controller.
    @Suite(.timeLimit(.minutes(3))) struct TargetFiles {
        static var names: [String] {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(Product.root)/targets")) ?? []
            return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
        }

        @Test(arguments: names) func aTargetFileServes(_ name: String) throws {
            let file = try TargetFile(name)
            let array = try file.array()
            let target = array.target
            try array.start()
            for controller in file.ports.keys.sorted() {
                let user = name == "chap" ? "host%\(try Self.secret(array))@" : ""
                let outcome = try Program.run(
                    ["iscsi-readcapacity16", "iscsi://\(user)\(array.portal(controller))/\(target)/0"],
                    folder: array.folder)
                #expect(outcome.status == 0 && outcome.output.contains("Total size:"), "\(name): \(outcome.output)")
            }
            #expect(try array.stop().status == 0)
        }

        private static func secret(_ array: RunningArray) throws -> String {
            try String(contentsOfFile: "\(array.folder)/state/host.secret", encoding: .utf8)
                .trimmingCharacters(in: .newlines)
        }
    }
}

/// A file of `targets/` with ports of its own, so that it can run beside others.
struct TargetFile {
    private(set) var text: String
    private(set) var ports: [String: Int] = [:]

    init(_ name: String) throws {
        text = try String(contentsOfFile: "\(Product.root)/targets/\(name).yaml", encoding: .utf8)
        for (controller, usual) in [("a", 3260), ("b", 3261)] where text.contains("portals: [127.0.0.1:\(usual)]") {
            let (portal, channel) = (try Product.freePort(), try Product.freePort())
            ports[controller] = portal
            text = text.replacingOccurrences(
                of: "portals: [127.0.0.1:\(usual)]",
                with: "portals: [\"127.0.0.1:\(portal)\"], channel: \"127.0.0.1:\(channel)\"")
        }
    }

    /// The array, not started.
    func array() throws -> RunningArray {
        let target = try #require(text.firstMatch(of: /iqn\.2026-11\.io\.gemel:[a-z0-9-]+/)).0
        return try RunningArray(text: text, ports: ports, target: String(target))
    }
}
