import PagingFormats

/// Why a controller starts anew, in a sentence.
enum RestartText {
    static func sentence(_ reason: RestartReason) -> String {
        switch reason {
        case .lostMembership: "the partner goes on alone; this controller starts anew and joins it"
        case .witnessNamesPartner: "the witness names the partner; this controller starts anew and joins it"
        }
    }
}
