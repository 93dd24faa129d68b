import Glibc

// What is printed at the end.
extension Tally {
    private func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = [1.0, 10, 100, 1000][digits]
        let whole = Int64((value * scale).rounded())
        if digits == 0 { return String(whole) }
        let fraction = String(whole % Int64(scale))
        return "\(whole / Int64(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    private func perOperation(_ nanoseconds: UInt64) -> Double {
        operations == 0 ? 0 : Double(nanoseconds) / Double(operations) / 1000
    }

    /// One line for people.
    func line(_ options: Options) -> String {
        let label = options.label.isEmpty ? "" : options.label + ": "
        if options.check {
            return label + "checked \(blocksChecked) blocks of \(options.blockSize) bytes: "
                + "\(mismatches) mismatches, \(errors) errors, \(losses) connections lost"
        }
        let rate = seconds > 0 ? Double(operations) / seconds : 0
        var text = label + "\(fixed(rate, 0)) IOPS  \(fixed(rate * Double(options.blockSize) / 1e6, 0)) MB/s"
        text += "  p50 \(fixed(Double(p50) / 1e3, 1)) us  p99 \(fixed(Double(p99) / 1e3, 1)) us"
        text += "  max \(fixed(Double(maximum) / 1e6, 2)) ms  own CPU \(fixed(perOperation(ownCPU), 2)) us/op"
        if !options.processes.isEmpty { text += "  target CPU \(fixed(perOperation(processCPU), 2)) us/op" }
        text += "  longest gap \(fixed(Double(longestGap) / 1e6, 1)) ms  errors \(errors)"
        if options.verify { text += "  mismatches \(mismatches)" }
        if retries + losses > 0 { text += "  retries \(retries)  connections lost \(losses)" }
        return text
    }

    /// One JSON object on one line.
    func json(_ options: Options) -> String {
        let rate = seconds > 0 ? Double(operations) / seconds : 0
        let numbers: [(String, String)] = [
            ("iops", fixed(rate, 1)), ("megabytesPerSecond", fixed(rate * Double(options.blockSize) / 1e6, 2)),
            ("p50Microseconds", fixed(Double(p50) / 1e3, 1)), ("p99Microseconds", fixed(Double(p99) / 1e3, 1)),
            ("maximumMicroseconds", fixed(Double(maximum) / 1e3, 1)), ("seconds", fixed(seconds, 3)),
            ("operations", "\(operations)"), ("reads", "\(reads)"), ("writes", "\(writes)"),
            ("ownMicrosecondsPerOperation", fixed(perOperation(ownCPU), 3)),
            ("targetMicrosecondsPerOperation", fixed(perOperation(processCPU), 3)),
            ("longestGapMilliseconds", fixed(Double(longestGap) / 1e6, 3)),
            ("longestGapEndSeconds", fixed(Double(longestGapEnd) / 1e9, 3)), ("retries", "\(retries)"),
            ("connectionsLost", "\(losses)"), ("errors", "\(errors)"), ("mismatches", "\(mismatches)"),
            ("digestErrors", "\(digestErrors)"), ("blocksChecked", "\(blocksChecked)"), ("unitBytes", "\(unitBytes)"),
        ]
        var fields = ["\"label\":\(Self.quoted(options.label))"]
        fields += numbers.map { "\"\($0)\":\($1)" }
        fields.append("\"complaints\":[\(complaints.map(Self.quoted).joined(separator: ","))]")
        if let failure { fields.append("\"failure\":\(Self.quoted(failure))") }
        return "{\(fields.joined(separator: ","))}"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 32: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
