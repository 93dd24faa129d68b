import Controller

/// Number of a log code in traces.
func logIndex(_ code: LogEntry.Code) -> UInt8 { code.rawValue }

/// Name of a log code that a trace carries as a number.
func logName(_ index: UInt64) -> String {
    LogEntry.Code(rawValue: UInt8(truncatingIfNeeded: index)).map { "\($0)" } ?? "?"
}
