/*
 * schedule.h: parameters of strategies that change with time or evidence.
 */
#ifndef XS_SCHEDULE_H
#define XS_SCHEDULE_H

/* What `elapsed` counts; the caller measures it. */
typedef enum XsScheduleKind
{
	XS_CONSTANT,				/* nothing: the value is start */
	XS_TIME,					/* days */
	XS_COUNT,					/* decisions the agent has learned */
	XS_EVIDENCE					/* decisions learned per allowed arm, the mean over these */
} XsScheduleKind;

typedef struct XsSchedule
{
	XsScheduleKind kind;
	double		start;			/* >= 0 */
	double		end;			/* 0 <= end <= start: reached, then kept */
	double		half;			/* > 0: halves the value, in the unit of elapsed */
} XsSchedule;

/*
 * max(end, start * 2^(-elapsed/half)), exact where elapsed is a multiple of half;
 * negative or NaN elapsed is 0.
 */
extern double xs_scheduled(const XsSchedule *schedule, double elapsed);

/*
 * SquareCB's gamma, c * sqrt(n) / mean_objective: n decisions learned, whose
 * reward was mean_objective on average, in the unit of the objective.  0, which
 * is uniform, as long as one of the three is not positive.
 */
extern double xs_squarecb_gamma(double c, double n, double mean_objective);

#endif
