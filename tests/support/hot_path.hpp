// The statements that must stay fast however large a catalog grows: what the tests of plans look at, on every engine.
#pragma once

#include <array>
#include <string_view>

#include "repository/sql.hpp"

namespace test {

inline constexpr std::array kHotPath{media::sql::kFindMedia,
                                     media::sql::kFindMediaByContent,
                                     media::sql::kFindJudgedMediaByContent,
                                     media::sql::kFindMediaByContentAndName,
                                     media::sql::kFindMediaByIdempotencyKey,
                                     media::sql::kListExpiredMedia,
                                     media::sql::kUpdateMedia,
                                     media::sql::kRemoveMedia,
                                     media::sql::kFindBlob,
                                     media::sql::kHasBlobOfSize,
                                     media::sql::kListBlobs,
                                     media::sql::kIsReferenced,
                                     media::sql::kEndOfUnreferencedScan,
                                     media::sql::kListUnreferencedBlobs,
                                     media::sql::kListBlobUses,
                                     media::sql::kListBlobsInState,
                                     media::sql::kRemoveBlob,
                                     media::sql::kFindRendition,
                                     media::sql::kListRenditions,
                                     media::sql::kListAllRenditions,
                                     media::sql::kListLeastUsedRenditions,
                                     media::sql::kNoteRenditionUse,
                                     media::sql::kRemoveRendition,
                                     media::sql::kRemoveRenditions,
                                     media::sql::kRemoveRenditionsStoredAs,
                                     media::sql::kFindJobOfMedia,
                                     media::sql::kListJobsOfMedia,
                                     media::sql::kClaimJobs,
                                     media::sql::kClaimJobsOfMedia,
                                     media::sql::kRenewJob,
                                     media::sql::kFinishJob,
                                     media::sql::kRequeueJob,
                                     media::sql::kBuryJob,
                                     media::sql::kRetryJob,
                                     media::sql::kReturnJob,
                                     media::sql::kListVideoOrders,
                                     media::sql::kFindUpload,
                                     media::sql::kListExpiredUploads,
                                     media::sql::kChangeUploadState,
                                     media::sql::kRemoveUpload,
                                     media::sql::kFindResumableUpload,
                                     media::sql::kListExpiredResumableUploads,
                                     media::sql::kRemoveResumableUpload,
                                     media::sql::kListLinks,
                                     media::sql::kListLinksOfMedia,
                                     media::sql::kRemoveLink,
                                     media::sql::kFindApiKey,
                                     media::sql::kFindOwnerUsage,
                                     media::sql::kFindQuota,
                                     media::sql::kFindQuarantined,
                                     media::sql::kRemoveQuarantined};

}  // namespace test
