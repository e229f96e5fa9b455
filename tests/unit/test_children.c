/* SPDX-License-Identifier: MIT */
/* test_children.c - implicit join: parents end after their children, and with what outcome. */
#include "unit/test_sched.h"

static struct tutti__sched *sched;

static int body_tree(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    uintptr_t depth = (uintptr_t)arg;
    static atomic_int leaves;
    if (depth == 0) {
        atomic_fetch_add(&leaves, 1);
        return TUTTI_OK;
    }
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_tree,
                             .arg = (void *)(depth - 1) };
    for (int i = 0; i < 2; i++) {
        if (tutti__sched_submit(sched, &desc, NULL, 0, NULL) != TUTTI_OK) {
            return TUTTI_ENOMEM;
        }
    }
    return TUTTI_OK;
}

static void tree(void)
{
    tutti_stats before = { .struct_size = sizeof before };
    tutti_stats after = { .struct_size = sizeof after };
    tutti__sched_stats(sched, &before);
    tutti_task *root = spawn(sched, body_tree, (void *)12);
    EQ_INT(await(root), TUTTI_OK, "a tree ends");
    tutti__sched_wait_idle(sched); /* the root is counted a moment after it has settled */
    tutti__sched_stats(sched, &after);
    EQ_UINT(after.submitted - before.submitted, (1u << 13) - 1, "all of it");
    EQ_UINT(after.submitted, after.settled, "before its root");
    tutti__task_unref(root);
}

struct spec {
    tutti_task_fn child;
    uint32_t flags;
    bool keep; /* the parent keeps a handle */
    bool depend;
    int status; /* of the parent's own body */
    tutti_task *kept;
    tutti_task *dependent;
    struct gate gate;
};

static int body_parent(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    struct spec *spec = arg;
    struct gate *gate = &spec->gate;
    tutti_task_desc hold = { .struct_size = sizeof hold, .fn = body_gate, .arg = gate };
    tutti_task *first = NULL;
    tutti__sched_submit(sched, &hold, NULL, 0, &first); /* the child begins after this one ends */
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = spec->child, .flags = spec->flags };
    tutti_task *child = NULL; /* a handle only where it is meant: another one is looking, too */
    tutti__sched_submit(sched, &desc, &first, 1, spec->keep || spec->depend ? &child : NULL);
    if (spec->depend) {
        tutti_task_desc after = { .struct_size = sizeof after, .fn = body_empty,
                                  .flags = TUTTI_RUN_ON_SKIP };
        tutti__sched_submit(sched, &after, &child, 1, &spec->dependent);
    }
    if (spec->keep) {
        spec->kept = child;
    } else if (child != NULL) {
        tutti__task_unref(child);
    }
    tutti__task_unref(first);
    *result = (tutti_value){ .kind = TUTTI_OPAQUE, .more.drop = drop_count };
    return spec->status;
}

static int outcome(struct spec *spec)
{
    gate_init(&spec->gate);
    tutti_task *parent = spawn(sched, body_parent, spec);
    sem_take(&spec->gate.begun);
    OK(!tutti__task_is_done(parent), "not done before its children");
    sem_post(&spec->gate.open);
    await(parent);
    tutti__sched_wait_idle(sched);
    int status = tutti__task_result(parent, NULL);
    tutti__task_unref(parent);
    if (spec->kept != NULL) {
        tutti__task_unref(spec->kept);
    }
    if (spec->dependent != NULL) {
        tutti__task_unref(spec->dependent);
    }
    gate_deinit(&spec->gate);
    return status;
}

static void outcomes(void)
{
    atomic_store(&dropped, 0);
    EQ_INT(outcome(&(struct spec){ .child = body_empty }), TUTTI_OK, "children succeed");
    EQ_INT(outcome(&(struct spec){ .child = body_fail }), TUTTI_EFAILED,
           "a child fails and nobody looks: the parent fails");
    EQ_INT(outcome(&(struct spec){ .child = body_fail, .keep = true }), TUTTI_OK,
           "unless somebody has a handle");
    EQ_INT(outcome(&(struct spec){ .child = body_fail, .depend = true }), TUTTI_OK,
           "or something comes after it");
    EQ_INT(outcome(&(struct spec){ .child = body_fail, .status = TUTTI_EIO }), TUTTI_EIO,
           "the parent's own failure wins");
    EQ_INT(outcome(&(struct spec){ .child = body_fail, .flags = TUTTI_DETACH }), TUTTI_OK,
           "a detached task is no child");
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(2);
    tree();
    outcomes();
    tutti__sched_free(sched);
    EQ_INT(atomic_load(&dropped), 6, "each parent's result was freed once");
    return TAP_END();
}
