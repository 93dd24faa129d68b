import Controller

/// Number of a log code in traces.
func logIndex(_ code: LogEntry.Code) -> UInt8 { code.rawValue }

/// What a controller told, from the numbers that a trace keeps of it.
func logText(_ index: UInt64, _ first: UInt64, _ second: UInt64) -> String {
    guard let code = LogEntry.Code(rawValue: UInt8(truncatingIfNeeded: index)) else { return "?" }
    return LogWords().sentence(LogEntry(code, first, second))
}
