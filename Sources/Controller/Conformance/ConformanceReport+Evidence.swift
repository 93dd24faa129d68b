// Which test shows what, and what is not there.
extension ConformanceReport {
    /// The test function that shows a row; nil for a row that is not listed, which a test of the report refuses.
    static func evidence(_ section: ConformanceRow.Section, _ code: String) -> String? {
        let list =
            switch section {
            case .command: commandTests
            case .vitalProductData: vitalProductDataTests
            case .modePage: modePageTests
            case .logPage: logPageTests
            case .textKey: textKeyTests
            case .protocolDataUnit: protocolDataUnitTests
            case .taskManagement: taskManagementTests
            case .asynchronousEvent: asynchronousEventTests
            case .loginStatus: loginStatusTests
            case .rejectReason: rejectReasonTests
            }
        return list.first { $0.codes.split(separator: " ").contains { $0 == code } }?.test
    }

    private static let commandTests: [(test: String, codes: String)] = [
        ("aFormatAnswersAtItsEndAndBothControllersSayThatItGoesOn", "04"),
        ("readLongReturnsTheBlockAndRefusesOtherLengths", "3E 9E/11"),
        ("writeLongWritesOrMarksOneBlockOrThePhysicalOne", "3F 9F/11"),
        ("overwriteWritesItsPassesAndEndsWithThePattern", "48/01"),
        ("thinUnitsAreErasedByDiscards", "48/02"),
        ("aFailedSanitizeKeepsTheUnitUntilItIsLeftOrRepeated", "48/1F"),
        ("aNewNexusLearnsOfPowerOnOnce", "00"), ("requestSenseReportsAndClears", "03"),
        ("residualsFollowFromTheTotal", "0A 2A 8A AA"), ("readsReturnTheMedium", "08 28 88 A8"),
        ("parameterDataEqualTheirFixtures", "12 25 9E/10 9E/13 A3/0D"),
        ("modeSelectChangesTheStateBlockAndTellsTheOthers", "15"),
        ("modeSenseReportsPagesUnderEachPageControl", "1A 5A"),
        ("writeSameRepeatsItsBlock", "41 93"), ("compareAndWriteWritesWhatItsEqualCompareDataAllow", "89"),
        ("whatIsUnmappedReadsAsZerosAndNothingElse", "42"), ("statusTellsRunsFromTheAddressOn", "9E/12"),
        ("orWriteKeepsTheBitsThatWereThere", "8B"), ("writeAtomicExistsOnUnitsThatHaveIt", "9C"),
        ("wrongFieldsAreRefused", "1C 37 B7"),
        ("theSelfTestReadsBothEndsAndIsRemembered", "1D"), ("writeAndVerifyWritesThenReadsBack", "2E 8E AE"),
        ("verificationReadsTheMedium", "2F"), ("verifyComparesWhatItIsAskedToCompare", "8F AF"),
        ("cacheCommandsReachMemory", "1B 34 35 90 91"),
        ("buffersBelongToTheirNexus", "3B 3C"), ("errorsAreCountedWhereTheyHappenAndWrittenDown", "4C"),
        ("logSenseChecksItsFields", "4D"), ("softwareWriteProtectAndDescriptorSenseTakeEffect", "55"),
        ("theWellKnownLogicalUnitReportsTheOthers", "A0"),
        ("identifyingInformationIsKeptInTheStateBlock", "A3/05 A4/06"),
        ("oneNexusAtATime", "16 17 56 57"),
        ("everyStepIsAsTheStandardHasIt", "5E/00 5E/01 5F/00 5F/01 5F/02 5F/03 5F/04 5F/06 5F/07"),
        ("capabilitiesAreWhatIsThere", "5E/02"), ("aLongFullStatusIsOfOneState", "5E/03"),
        ("preemptAndAbortEndsWhatWaitsForItsHost", "5F/05"),
        ("whoPreventsRemovalHoldsTheMediumUntil", "1E"), ("theOtherGroupIsAsTheConfigurationSays", "A4/0A"),
        ("aMovedHomeIsReportedAndAnnounced", "A3/0A"), ("supportedOperationCodesComeFromTheTable", "A3/0C"),
        ("theClockGoesOnFromWhatWasSet", "A3/0F A4/0F"),
        ("type2IsAddressedByCommandsOf32Bytes", "7F/0009 7F/000B"),
        ("theOtherCommandsOf32BytesDoWhatTheyDoElsewhere", "7F/000A 7F/000C 7F/000D"),
    ]

    private static let vitalProductDataTests: [(test: String, codes: String)] = [
        ("everySupportedPageAnswersAndNoOther", "00"), ("designatorsOfTheUnitFollowFromItsNAA", "83"),
        ("theManagementAddressIsThereWhenItIsConfigured", "85"), ("pagesOfAnSPC3UnitAreThoseOfSPC3", "86 B0"),
        ("parameterDataEqualTheirFixtures", "80 87 88 B1 B7"),
        ("provisioningAndProtectionAreReportedFromTheProfile", "B2 B4"),
        ("aSingleControllerReportsNoReferrals", "B3"),
    ]

    private static let modePageTests: [(test: String, codes: String)] = [
        ("aUnitHasThePagesOfItsKind", "01 0A/01 1A"), ("parameterDataEqualTheirFixtures", "02 07 18 19"),
        ("savedValuesOutliveAResetAndCurrentOnesDoNot", "08"),
        ("aCheckConditionTakesAlongWhatQERRSays", "0A"),
        ("aThresholdIsReportedOnceAndArmedAgainOnTheOtherSideOfItsRange", "1C/02"),
        ("aTestFailureIsReportedTheWayThatMRIESays", "1C"), ("modeSenseReportsPagesUnderEachPageControl", "3F 3F/FF"),
    ]

    private static let logPageTests: [(test: String, codes: String)] = [
        ("errorsAreCountedWhereTheyHappenAndWrittenDown", "02 03 05 06"), ("logSenseChecksItsFields", "00 00/FF"),
        ("theLogPageTellsWhatTheDeviceSays", "0C"),
        ("parameterDataEqualTheirFixtures", "0D 0E 15"), ("theSelfTestReadsBothEndsAndIsRemembered", "10"),
        ("statisticsCountBothControllersCommands", "19"),
        ("commandsAreCountedByTheirGroupNumber", "19/01"), ("aTestFailureIsReportedTheWayThatMRIESays", "2F"),
    ]

    /// What the standards define for such units, and what is left out.
    static var absent: [ConformanceRow] {
        [
            .absent(
                .command, "48/03", "SANITIZE, CRYPTOGRAPHIC ERASE", "SBC-3 5.24", "nothing is encrypted on the medium"),
            .absent(
                .command, "5F/08", "PERSISTENT RESERVE OUT, REPLACE LOST RESERVATION", "SPC-5 6.16",
                "reservations are not lost while the unit is there: RLR_C is zero (SPC-5 6.15.4)"),
            .absent(.command, "83", "THIRD-PARTY COPY IN", "SPC-4 6.24", "there is no copy manager"),
            .absent(.command, "84", "THIRD-PARTY COPY OUT", "SPC-4 6.4", "there is no copy manager"),
            .absent(.vitalProductData, "8F", "Third-party Copy", "SPC-4 7.8.17", "there is no copy manager"),
        ]
    }
}
