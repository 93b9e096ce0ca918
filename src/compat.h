/*
 * compat.h: the differences between PostgreSQL 14 and 18, all in one place.
 * Newer servers' names are given to older ones.
 */
#ifndef XS_COMPAT_H
#define XS_COMPAT_H

#include "postgres.h"

#include <stdlib.h>

#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/relcache.h"

#if PG_VERSION_NUM < 140000
#error "xsell needs PostgreSQL 14 or later"
#endif

/* 15: reserving a prefix replaced the warning about placeholders */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 16: a check hook's extra data is allocated by guc_malloc, before by malloc */
#if PG_VERSION_NUM < 160000
#define xs_guc_malloc(size) malloc(size)
#else
#define xs_guc_malloc(size) guc_malloc(LOG, size)
#endif

/* 16: varlena macros left postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16: input functions can hand their errors back instead of throwing them */
#if PG_VERSION_NUM < 160000
#define errsave(context, ...) do { (void) (context); ereport(ERROR, __VA_ARGS__); } while (0)
#define ereturn(context, result, ...) do { (void) (context); ereport(ERROR, __VA_ARGS__); } while (0)
#endif

/* 17: backends are numbered from 0 by MyProcNumber, before from 1 by MyBackendId */
#if PG_VERSION_NUM < 170000
#include "storage/backendid.h"
#define xs_backend_number() ((int) MyBackendId)
#else
#define xs_backend_number() ((int) MyProcNumber + 1)
#endif

/* 17: the local transaction id moved into a virtual transaction id */
#if PG_VERSION_NUM < 170000
#define xs_local_transaction() (MyProc->lxid)
#else
#define xs_local_transaction() (MyProc->vxid.lxid)
#endif

/* 17: pq_sendcountedtext lost the argument that let the length count itself */
#if PG_VERSION_NUM < 170000
#define pq_sendcountedtext(buf, str, slen) pq_sendcountedtext(buf, str, slen, false)
#endif

/* 18: a primary key may be deferrable, and must be asked for if it may */
#if PG_VERSION_NUM < 180000
#define RelationGetPrimaryKeyIndex(relation, deferrable_ok) RelationGetPrimaryKeyIndex(relation)
#endif

/* 15: InitMaterializedSRF, the set-up of a function that returns its set at once */
#if PG_VERSION_NUM >= 150000
#define xs_materialize(fcinfo) InitMaterializedSRF(fcinfo, 0)
#else
static inline void
xs_materialize(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	desc;
	MemoryContext caller;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || !(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	caller = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setDesc = CreateTupleDescCopy(desc);
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	MemoryContextSwitchTo(caller);
}
#endif

#endif
