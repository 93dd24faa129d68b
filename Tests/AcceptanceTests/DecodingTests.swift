import Foundation
import Testing

extension Acceptance {
    /// What Debian's sg3-utils and sdparm make of the bytes that the device server answers with. The bytes are those of
    /// `fixtures/cdbs/answers.txt` and `fixtures/sense/sense.txt`, which the device server's tests hold it to; the
    /// texts are in `fixtures/cdbs/decoded.txt`.
    @Suite struct Decoding {
        private static func fixture(_ path: String) throws -> String {
            try String(contentsOfFile: "\(Product.root)/fixtures/\(path)", encoding: .utf8)
        }

        /// CDBs and answers, in hexadecimal.
        private static func answers() throws -> [(cdb: String, data: String)] {
            var all: [(cdb: String, data: String)] = []
            for line in try fixture("cdbs/answers.txt").split(separator: "\n") {
                let text = line.split(separator: "#", omittingEmptySubsequences: false)[0]
                if text.hasPrefix(">") {
                    all.append((text.dropFirst().trimmingCharacters(in: .whitespaces), ""))
                } else if !all.isEmpty {
                    all[all.count - 1].data += text + "\n"
                }
            }
            return all
        }

        /// The program that reads an answer to `cdb` from `file`; nil when there is none.
        private static func decoder(_ cdb: String, _ file: String) -> [String]? {
            switch cdb.prefix(5) {
            case "12 00": ["sg_inq", "--inhex=\(file)"]
            case "12 01": ["sg_vpd", "--inhex=\(file)"]
            case "1A 00", "1A 08": ["sdparm", "--inhex=\(file)", "-6", "-a"]
            case "4D 00": ["sg_logs", "--in=\(file)"]
            default: nil
            }
        }

        private static func clean(_ text: String) -> String {
            text.split(separator: "\n").map { line in
                String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
            }.joined()
        }

        private static func decoded() throws -> String {
            let folder = NSTemporaryDirectory() + "gemel-decoding-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            var text = """
                # What sg_inq, sg_vpd, sg_logs, sg_decode_sense (sg3-utils 1.46) and sdparm (1.12) read in the bytes
                # of answers.txt and sense.txt.

                """
            let file = "\(folder)/answer.hex"
            for (cdb, data) in try answers() {
                guard let words = decoder(cdb, file) else { continue }
                try data.write(toFile: file, atomically: true, encoding: .utf8)
                let outcome = try Program.run(words, folder: folder, seconds: 10)
                #expect(outcome.status == 0, "\(words[0]) of \(cdb): \(outcome.output)")
                text += "\n> \(cdb)\n" + clean(outcome.output)
            }
            for line in try fixture("sense/sense.txt").split(separator: "\n") where !line.hasPrefix("#") {
                let words = line.split(separator: " ").map(String.init)
                let outcome = try Program.run(["sg_decode_sense"] + words.dropFirst(), folder: folder, seconds: 10)
                #expect(outcome.status == 0, "sg_decode_sense of \(words[0]): \(outcome.output)")
                text += "\n> \(words[0])\n" + clean(outcome.output)
            }
            return text
        }

        @Test func debiansToolsReadWhatWeMean() throws {
            let found = try Self.decoded()
            if ProcessInfo.processInfo.environment["GEMEL_WRITE_GOLDEN"] != nil {
                let path = "\(Product.root)/fixtures/cdbs/decoded.txt"
                try found.write(toFile: path, atomically: true, encoding: .utf8)
            }
            let expected = try Self.fixture("cdbs/decoded.txt").components(separatedBy: "\n> ")
            let pieces = found.components(separatedBy: "\n> ")
            #expect(pieces.count == expected.count && pieces.count > 30)
            for (piece, wanted) in zip(pieces, expected) { #expect(piece == wanted) }
        }
    }
}
