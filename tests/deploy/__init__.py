"""
The Helm charts in ``etc/helm``, by what Helm makes of them: ``rendered``, with their own values and with those in
``values``.

``make helm-rendered`` renders them anew. That needs Helm; the tests do not.
"""
