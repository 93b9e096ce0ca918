/*
 * model_parts.h: what model.c and model_evidence.c have in common.  Nobody else
 * includes it.
 */
#ifndef XS_MODEL_PARTS_H
#define XS_MODEL_PARTS_H

#include "model.h"
#include "remap.h"
#include "../model/pool.h"

/* The last weeks of evidence: no share looks back farther. */
#define NWEEKS 8

typedef struct Week
{
	DateADT		monday;
	int64		n;				/* decisions learned */
} Week;

/* The scores of one week. */
typedef struct Period
{
	DateADT		bucket;
	XsScore		score;
} Period;

/* Evidence of one offer while rows are added. */
typedef struct Sum
{
	bool		touched;
	int64		learned;		/* discounted by nothing */
	Week		weeks[NWEEKS];
	XsBeta		beta;
	XsBeta		harm;
	XsGlm	   *glm;
	XsScore		propensity;		/* of decisions under the present propensity */
	int			nperiods;
	Period	   *periods;
	int			nsegments;
	XsBeta	   *segments;
} Sum;

/* One offer as it is prepared. */
typedef struct Prepared
{
	void	   *global;			/* models of the oracles; NULL: not in use */
	void	   *segment;
	void	   *features;
	XsModelState state;
	XsBeta		beta;			/* what state.beta points to */
	double	   *spread;			/* of the columns among decisions; NULL: no evidence */
	int64		learned;
	double		harm;
	Week		weeks[NWEEKS];
	int			nperiods;		/* auto only */
	Period	   *periods;
} Prepared;

/* How another layout's evidence maps to this one. */
typedef struct OldLayout
{
	int32		encoding;
	bool		usable;			/* false: of another link */
	const XsRemap **maps;		/* by offer; NULL: as it is */
	bool	   *same_score;		/* by offer: whether its propensity was the present one */
	struct OldLayout *next;
} OldLayout;

struct XsModel
{
	MemoryContext context;
	const XsPolicy *policy;
	const XsOracle *global;
	const XsOracle *segment;	/* NULL: not in use */
	const XsOracle *features;	/* likewise */
	Prepared   *offers;
	XsPool	  **pools;			/* by group; NULL: it has nothing in common */
	double	   *scratch;
	OldLayout  *layouts;
	int			nsegments;
	char	  **segments;		/* names by number */
	int64		learned;		/* of all offers */
	double		rate;

	/* while evidence is added */
	MemoryContext sums_context; /* NULL: it is not */
	MemoryContext row_context;
	Sum		   *sums;
	XsModelBasis basis;
};

#endif
